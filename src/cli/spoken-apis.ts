/** The APIs that the commands of ottla use, beside those of a broker. */
import { apiVersionsRequest } from '../protocol/messages/api-versions.ts'
import { consumerGroupDescribeRequest } from '../protocol/messages/consumer-group-describe.ts'
import { createPartitionsRequest } from '../protocol/messages/create-partitions.ts'
import { createTopicsRequest } from '../protocol/messages/create-topics.ts'
import { deleteGroupsRequest } from '../protocol/messages/delete-groups.ts'
import { deleteTopicsRequest } from '../protocol/messages/delete-topics.ts'
import { describeConfigsRequest } from '../protocol/messages/describe-configs.ts'
import { describeGroupsRequest } from '../protocol/messages/describe-groups.ts'
import { describeLogDirsRequest } from '../protocol/messages/describe-log-dirs.ts'
import { fetchRequest } from '../protocol/messages/fetch.ts'
import { findCoordinatorRequest } from '../protocol/messages/find-coordinator.ts'
import { incrementalAlterConfigsRequest } from '../protocol/messages/incremental-alter-configs.ts'
import { initProducerIdRequest } from '../protocol/messages/init-producer-id.ts'
import { leaveGroupRequest } from '../protocol/messages/leave-group.ts'
import { listGroupsRequest } from '../protocol/messages/list-groups.ts'
import { listOffsetsRequest } from '../protocol/messages/list-offsets.ts'
import { metadataRequest } from '../protocol/messages/metadata.ts'
import { offsetCommitRequest } from '../protocol/messages/offset-commit.ts'
import { offsetDeleteRequest } from '../protocol/messages/offset-delete.ts'
import { offsetFetchRequest } from '../protocol/messages/offset-fetch.ts'
import { produceRequest } from '../protocol/messages/produce.ts'
import type { Message } from '../protocol/schema.ts'
import type { ListedApi } from './release.ts'

const spoken: readonly Message[] = [
  produceRequest,
  fetchRequest,
  listOffsetsRequest,
  metadataRequest,
  offsetCommitRequest,
  offsetFetchRequest,
  findCoordinatorRequest,
  leaveGroupRequest,
  describeGroupsRequest,
  listGroupsRequest,
  deleteGroupsRequest,
  offsetDeleteRequest,
  apiVersionsRequest,
  createTopicsRequest,
  deleteTopicsRequest,
  createPartitionsRequest,
  describeConfigsRequest,
  incrementalAlterConfigsRequest,
  initProducerIdRequest,
  describeLogDirsRequest,
  consumerGroupDescribeRequest,
]

/** Without these nothing works. */
export const essential: readonly Message[] = [
  metadataRequest,
  produceRequest,
  fetchRequest,
  listOffsetsRequest,
]

/** One API on both sides; versions as people read them, `none` where a side has none. */
export interface PairedApi {
  readonly request: Message
  readonly theirs: string
  readonly ours: string
  /** The one that is used; undefined when there is none in common. */
  readonly version: number | undefined
}

/** What a broker lists beside what the commands use. */
export function pairedApis(listed: readonly ListedApi[]): PairedApi[] {
  return spoken.map(request => {
    const { first, last: declared } = request.versions
    const last = declared - (request.latestUnstable ? 1 : 0)
    const theirs = listed.find(({ apiKey }) => apiKey === request.apiKey)
    const version = Math.min(theirs?.maxVersion ?? -1, last)
    const isCommon = theirs !== undefined && version >= Math.max(first, theirs.minVersion)
    return {
      request,
      theirs: theirs === undefined ? 'none' : `${theirs.minVersion}–${theirs.maxVersion}`,
      ours: `${first}–${last}`,
      version: isCommon ? version : undefined,
    }
  })
}
