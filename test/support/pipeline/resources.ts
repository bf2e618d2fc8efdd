export function openResources(): undefined {
  return undefined;
}
