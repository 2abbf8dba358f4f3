/** A graph was built wrongly; the message names the operator, the shapes and the layer. */
export class GraphError extends Error {
  override readonly name = 'GraphError';
}
