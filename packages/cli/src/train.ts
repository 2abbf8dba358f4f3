export async function trainFromConfig(_kind: string, _options: object): Promise<void> {}
