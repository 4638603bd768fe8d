/**
 * What this broker speaks, as one list: ApiVersions, the dispatcher and docs/protocol-support.md
 * derive from it. A new API is a declared message, a handler, and a line here.
 */
import type { Fields, Message } from '../protocol/schema.ts'
import type { Api } from './dispatch.ts'

function api<Q extends Fields, R extends Fields>(
  request: Message<Q>,
  response: Message<R>,
  handle: Api<Q, R>['handle'],
  fail: Api<Q, R>['fail'],
  options: { listedMin?: number; isAlone?: boolean } = {},
): Api {
  const { listedMin = request.versions.first, isAlone = false } = options
  // The types of one API meet in this call; the list holds them all.
  return { request, response, handle, fail, listedMin, isAlone } as unknown as Api
}

export const apis: readonly Api[] = []
