/**
 * Checks whether a text looks like a name of the Hugging Face hub, `owner/name`, and not like the path of a model file.
 */
export function isHubName(text: string): boolean {
  return /^[\w-][\w.-]*\/[\w-][\w.-]*$/.test(text) && !/\.(json|safetensors|pt|msgpack)$/.test(text);
}
