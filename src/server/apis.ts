/**
 * What this broker speaks, as one list: ApiVersions, the dispatcher and docs/protocol-support.md
 * derive from it. A new API is a declared message, a handler, and a line here.
 */

import { alterConfigsRequest, alterConfigsResponse } from '../protocol/messages/alter-configs.ts'
import {
  alterPartitionReassignmentsRequest,
  alterPartitionReassignmentsResponse,
} from '../protocol/messages/alter-partition-reassignments.ts'
import {
  alterReplicaLogDirsRequest,
  alterReplicaLogDirsResponse,
} from '../protocol/messages/alter-replica-log-dirs.ts'
import { apiVersionsRequest, apiVersionsResponse } from '../protocol/messages/api-versions.ts'
import {
  createPartitionsRequest,
  createPartitionsResponse,
} from '../protocol/messages/create-partitions.ts'
import { createTopicsRequest, createTopicsResponse } from '../protocol/messages/create-topics.ts'
import { deleteGroupsRequest, deleteGroupsResponse } from '../protocol/messages/delete-groups.ts'
import { deleteRecordsRequest, deleteRecordsResponse } from '../protocol/messages/delete-records.ts'
import { deleteTopicsRequest, deleteTopicsResponse } from '../protocol/messages/delete-topics.ts'
import {
  describeClusterRequest,
  describeClusterResponse,
} from '../protocol/messages/describe-cluster.ts'
import {
  describeConfigsRequest,
  describeConfigsResponse,
} from '../protocol/messages/describe-configs.ts'
import {
  describeGroupsRequest,
  describeGroupsResponse,
} from '../protocol/messages/describe-groups.ts'
import {
  describeLogDirsRequest,
  describeLogDirsResponse,
} from '../protocol/messages/describe-log-dirs.ts'
import {
  describeTopicPartitionsRequest,
  describeTopicPartitionsResponse,
} from '../protocol/messages/describe-topic-partitions.ts'
import { electLeadersRequest, electLeadersResponse } from '../protocol/messages/elect-leaders.ts'
import { fetchRequest, fetchResponse } from '../protocol/messages/fetch.ts'
import {
  findCoordinatorRequest,
  findCoordinatorResponse,
} from '../protocol/messages/find-coordinator.ts'
import { heartbeatRequest, heartbeatResponse } from '../protocol/messages/heartbeat.ts'
import {
  incrementalAlterConfigsRequest,
  incrementalAlterConfigsResponse,
} from '../protocol/messages/incremental-alter-configs.ts'
import {
  initProducerIdRequest,
  initProducerIdResponse,
} from '../protocol/messages/init-producer-id.ts'
import { joinGroupRequest, joinGroupResponse } from '../protocol/messages/join-group.ts'
import { envelopeRequest, envelopeResponse } from '../protocol/messages/kraft.ts'
import { leaveGroupRequest, leaveGroupResponse } from '../protocol/messages/leave-group.ts'
import { listGroupsRequest, listGroupsResponse } from '../protocol/messages/list-groups.ts'
import { listOffsetsRequest, listOffsetsResponse } from '../protocol/messages/list-offsets.ts'
import {
  listPartitionReassignmentsRequest,
  listPartitionReassignmentsResponse,
} from '../protocol/messages/list-partition-reassignments.ts'
import { metadataRequest, metadataResponse } from '../protocol/messages/metadata.ts'
import { offsetCommitRequest, offsetCommitResponse } from '../protocol/messages/offset-commit.ts'
import { offsetDeleteRequest, offsetDeleteResponse } from '../protocol/messages/offset-delete.ts'
import { offsetFetchRequest, offsetFetchResponse } from '../protocol/messages/offset-fetch.ts'
import {
  offsetForLeaderEpochRequest,
  offsetForLeaderEpochResponse,
} from '../protocol/messages/offset-for-leader-epoch.ts'
import { produceRequest, produceResponse } from '../protocol/messages/produce.ts'
import { syncGroupRequest, syncGroupResponse } from '../protocol/messages/sync-group.ts'
import {
  unregisterBrokerRequest,
  unregisterBrokerResponse,
} from '../protocol/messages/unregister-broker.ts'
import {
  updateFeaturesRequest,
  updateFeaturesResponse,
} from '../protocol/messages/update-features.ts'
import type { Fields, Message } from '../protocol/schema.ts'
import type { Api } from './dispatch.ts'
import {
  alterConfigs,
  alterConfigsFailure,
  incrementalAlterConfigs,
} from './handlers/alter-configs.ts'
import {
  alterPartitionReassignments,
  alterPartitionReassignmentsFailure,
} from './handlers/alter-partition-reassignments.ts'
import {
  alterReplicaLogDirs,
  alterReplicaLogDirsFailure,
} from './handlers/alter-replica-log-dirs.ts'
import { apiVersions, apiVersionsFailure } from './handlers/api-versions.ts'
import { createPartitions, createPartitionsFailure } from './handlers/create-partitions.ts'
import { createTopics, createTopicsFailure } from './handlers/create-topics.ts'
import { deleteGroups, deleteGroupsFailure } from './handlers/delete-groups.ts'
import { deleteRecords, deleteRecordsFailure } from './handlers/delete-records.ts'
import { deleteTopics, deleteTopicsFailure } from './handlers/delete-topics.ts'
import { describeCluster, describeClusterFailure } from './handlers/describe-cluster.ts'
import { describeConfigs, describeConfigsFailure } from './handlers/describe-configs.ts'
import { describeGroups, describeGroupsFailure } from './handlers/describe-groups.ts'
import { describeLogDirs, describeLogDirsFailure } from './handlers/describe-log-dirs.ts'
import {
  describeTopicPartitions,
  describeTopicPartitionsFailure,
} from './handlers/describe-topic-partitions.ts'
import { electLeaders, electLeadersFailure } from './handlers/elect-leaders.ts'
import { envelope, envelopeFailure } from './handlers/envelope.ts'
import { fetch, fetchFailure } from './handlers/fetch.ts'
import { findCoordinator, findCoordinatorFailure } from './handlers/find-coordinator.ts'
import { heartbeat, heartbeatFailure } from './handlers/heartbeat.ts'
import { initProducerId, initProducerIdFailure } from './handlers/init-producer-id.ts'
import { joinGroup, joinGroupFailure } from './handlers/join-group.ts'
import { leaveGroup, leaveGroupFailure } from './handlers/leave-group.ts'
import { listGroups, listGroupsFailure } from './handlers/list-groups.ts'
import { listOffsets, listOffsetsFailure } from './handlers/list-offsets.ts'
import {
  listPartitionReassignments,
  listPartitionReassignmentsFailure,
} from './handlers/list-partition-reassignments.ts'
import { metadata, metadataFailure } from './handlers/metadata.ts'
import { offsetCommit, offsetCommitFailure } from './handlers/offset-commit.ts'
import { offsetDelete, offsetDeleteFailure } from './handlers/offset-delete.ts'
import { offsetFetch, offsetFetchFailure } from './handlers/offset-fetch.ts'
import {
  offsetForLeaderEpoch,
  offsetForLeaderEpochFailure,
} from './handlers/offset-for-leader-epoch.ts'
import { produce, produceFailure } from './handlers/produce.ts'
import { syncGroup, syncGroupFailure } from './handlers/sync-group.ts'
import { unregisterBroker, unregisterBrokerFailure } from './handlers/unregister-broker.ts'
import { updateFeatures, updateFeaturesFailure } from './handlers/update-features.ts'

function api<Q extends Fields, R extends Fields>(
  request: Message<Q>,
  response: Message<R>,
  handle: Api<Q, R>['handle'],
  fail: Api<Q, R>['fail'],
  options: Partial<
    Pick<Api, 'remarks' | 'listedMin' | 'isPipelined' | 'isForwarded' | 'isOfBrokers'>
  > = {},
): Api {
  const { first, last } = request.versions
  const served = { first, last: request.latestUnstable ? last - 1 : last }
  const { remarks = '', listedMin = first, isPipelined = false } = options
  const { isForwarded = false, isOfBrokers = false } = options
  // The types of one API meet in this call; the list holds them all.
  return {
    request,
    response,
    handle,
    fail,
    served,
    remarks,
    listedMin,
    isPipelined,
    isForwarded,
    isOfBrokers,
  } as unknown as Api
}

/** In order of keys. */
export const apis: readonly Api[] = [
  api(produceRequest, produceResponse, produce, produceFailure, {
    remarks: 'acks 0, 1 and all; idempotent; listed from 0 for librdkafka, as Kafka does (KIP-896)',
    listedMin: 0,
    isPipelined: true,
  }),
  api(fetchRequest, fetchResponse, fetch, fetchFailure, {
    remarks:
      'sessions (KIP-227), long polling; followers from v15 (KIP-903), consumers at followers from v11 (KIP-392)',
  }),
  api(listOffsetsRequest, listOffsetsResponse, listOffsets, listOffsetsFailure, {
    remarks: 'by time and all special timestamps; nothing is tiered',
  }),
  api(metadataRequest, metadataResponse, metadata, metadataFailure, {
    remarks: 'creates topics when asked, and answers when they can be written',
  }),
  api(offsetCommitRequest, offsetCommitResponse, offsetCommit, offsetCommitFailure, {
    remarks: 'by name, from v10 by id; refused partition by partition',
  }),
  api(offsetFetchRequest, offsetFetchResponse, offsetFetch, offsetFetchFailure, {
    remarks: 'several groups; never unstable, there are no transactions',
  }),
  api(findCoordinatorRequest, findCoordinatorResponse, findCoordinator, findCoordinatorFailure, {
    remarks: 'groups; transactional ids and share partitions get INVALID_REQUEST',
  }),
  api(joinGroupRequest, joinGroupResponse, joinGroup, joinGroupFailure, {
    remarks: 'dynamic and static members (KIP-345, 394, 814)',
  }),
  api(heartbeatRequest, heartbeatResponse, heartbeat, heartbeatFailure),
  api(leaveGroupRequest, leaveGroupResponse, leaveGroup, leaveGroupFailure),
  api(syncGroupRequest, syncGroupResponse, syncGroup, syncGroupFailure),
  api(describeGroupsRequest, describeGroupsResponse, describeGroups, describeGroupsFailure, {
    remarks: 'classic groups',
  }),
  api(listGroupsRequest, listGroupsResponse, listGroups, listGroupsFailure, {
    remarks: 'filtered by state and type',
  }),
  api(
    apiVersionsRequest,
    apiVersionsResponse,
    apiVersions(() => apis),
    apiVersionsFailure,
    { remarks: 'a version we do not serve is answered in v0 with UNSUPPORTED_VERSION (KIP-511)' },
  ),
  api(createTopicsRequest, createTopicsResponse, createTopics, createTopicsFailure, {
    remarks: 'answered when the topic can be written',
    isForwarded: true,
  }),
  api(deleteTopicsRequest, deleteTopicsResponse, deleteTopics, deleteTopicsFailure, {
    remarks: 'by name and by id; gone when answered',
    isForwarded: true,
  }),
  api(deleteRecordsRequest, deleteRecordsResponse, deleteRecords, deleteRecordsFailure),
  api(initProducerIdRequest, initProducerIdResponse, initProducerId, initProducerIdFailure, {
    remarks: 'idempotent producers; a transactional id gets INVALID_REQUEST',
  }),
  api(
    offsetForLeaderEpochRequest,
    offsetForLeaderEpochResponse,
    offsetForLeaderEpoch,
    offsetForLeaderEpochFailure,
  ),
  api(describeConfigsRequest, describeConfigsResponse, describeConfigs, describeConfigsFailure, {
    remarks: 'topics and this broker',
  }),
  api(alterConfigsRequest, alterConfigsResponse, alterConfigs, alterConfigsFailure, {
    remarks: 'topics and brokers',
    isForwarded: true,
  }),
  api(
    alterReplicaLogDirsRequest,
    alterReplicaLogDirsResponse,
    alterReplicaLogDirs,
    alterReplicaLogDirsFailure,
    { remarks: 'moves of replicas that exist; one a broker at a time' },
  ),
  api(describeLogDirsRequest, describeLogDirsResponse, describeLogDirs, describeLogDirsFailure, {
    remarks: 'also copies on their way, and directories that are offline',
  }),
  api(
    createPartitionsRequest,
    createPartitionsResponse,
    createPartitions,
    createPartitionsFailure,
    { remarks: 'answered when the new partitions can be written', isForwarded: true },
  ),
  api(deleteGroupsRequest, deleteGroupsResponse, deleteGroups, deleteGroupsFailure),
  api(electLeadersRequest, electLeadersResponse, electLeaders, electLeadersFailure, {
    remarks: 'preferred and unclean; an unclean one does not wait for replicas that are gone',
    isForwarded: true,
  }),
  api(
    incrementalAlterConfigsRequest,
    incrementalAlterConfigsResponse,
    incrementalAlterConfigs,
    alterConfigsFailure,
    {
      remarks: 'topics and brokers; of a broker what can change while it runs',
      isForwarded: true,
    },
  ),
  api(
    alterPartitionReassignmentsRequest,
    alterPartitionReassignmentsResponse,
    alterPartitionReassignments,
    alterPartitionReassignmentsFailure,
    {
      remarks: 'a cancel ends when enough of the replicas before are in sync',
      isForwarded: true,
    },
  ),
  api(
    listPartitionReassignmentsRequest,
    listPartitionReassignmentsResponse,
    listPartitionReassignments,
    listPartitionReassignmentsFailure,
    {
      remarks: 'the moves that are under way',
    },
  ),
  api(offsetDeleteRequest, offsetDeleteResponse, offsetDelete, offsetDeleteFailure),
  api(updateFeaturesRequest, updateFeaturesResponse, updateFeatures, updateFeaturesFailure, {
    remarks: 'levels are raised, never lowered',
    isForwarded: true,
  }),
  api(envelopeRequest, envelopeResponse, envelope, envelopeFailure, {
    remarks:
      'what a client asks of the controller through another broker; on the listener of brokers alone',
    isOfBrokers: true,
    // A change may take long; the next one is queued behind it at the controller.
    isPipelined: true,
  }),
  api(describeClusterRequest, describeClusterResponse, describeCluster, describeClusterFailure, {
    remarks: 'brokers; the endpoint type of controllers is refused',
  }),
  api(
    unregisterBrokerRequest,
    unregisterBrokerResponse,
    unregisterBroker,
    unregisterBrokerFailure,
    {
      remarks: 'of a broker that has stopped and is no replica any more',
      isForwarded: true,
    },
  ),
  api(
    describeTopicPartitionsRequest,
    describeTopicPartitionsResponse,
    describeTopicPartitions,
    describeTopicPartitionsFailure,
    { remarks: 'with cursor and limit (KIP-966)' },
  ),
]
