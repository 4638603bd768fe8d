/**
 * What a broker's list of APIs says of its age. Kafka tells no version number on the wire; each
 * release raised some API first, and that tells the oldest release that it can be.
 */

/** One line of a broker's ApiVersions. */
export interface ListedApi {
  readonly apiKey: number
  readonly minVersion: number
  readonly maxVersion: number
}

const fetchKey = 1

/** By which API and version a release is known, the newest first. */
const marks: readonly (readonly [release: string, apiKey: number, version: number])[] = [
  ['4.1', fetchKey, 18],
  ['3.9', 18, 4],
  ['3.8', 75, 0],
  ['3.7', fetchKey, 16],
  ['3.5', fetchKey, 15],
  ['3.1', fetchKey, 13],
  ['2.8', 60, 0],
  ['2.7', fetchKey, 12],
  ['2.4', 0, 8],
  ['2.3', fetchKey, 11],
  ['2.1', fetchKey, 10],
  ['2.0', fetchKey, 8],
  ['1.1', fetchKey, 7],
  ['1.0', fetchKey, 6],
  ['0.11', fetchKey, 5],
  ['0.10.1', fetchKey, 3],
]

/** The Kafka release that this list is like, or a later one. */
export function releaseOf(apis: readonly ListedApi[]): string {
  const has = (apiKey: number, version: number) =>
    apis.some(api => api.apiKey === apiKey && api.maxVersion >= version)
  const found = marks.find(([, apiKey, version]) => has(apiKey, version))?.[0] ?? '0.10.0'
  return isWithoutOldVersions(apis) && !has(fetchKey, 18) ? '4.0' : found
}

/** The oldest clients that can speak to it: Kafka 4.0 dropped what clients before 2.1 need (KIP-896). */
export function oldestClient(apis: readonly ListedApi[]): string {
  return isWithoutOldVersions(apis) ? '2.1 (2018)' : '0.10 (2016)'
}

function isWithoutOldVersions(apis: readonly ListedApi[]): boolean {
  return apis.some(api => api.apiKey === fetchKey && api.minVersion >= 4)
}
