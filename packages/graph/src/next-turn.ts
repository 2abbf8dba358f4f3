/** A turn of the event loop for whatever waits for it: between pieces of work that would block it together. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
