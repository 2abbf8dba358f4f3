/** A graph is invalid. The message names the operator, the shapes and the layer. */
export class GraphError extends Error {
  override readonly name = 'GraphError';
}
