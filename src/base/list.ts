/** Whether it is an array; unlike Array.isArray this tells a readonly one from the rest. */
export function isList<T, Rest>(given: readonly T[] | Rest): given is readonly T[] {
  return Array.isArray(given)
}
