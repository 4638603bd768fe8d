/**
 * DescribeGroups (key 15), v0–6. A group that is absent is Dead; from v6 that is an error too
 * (KIP-1043).
 */
import { errorCode } from '../../protocol/errors.ts'
import type {
  DescribeGroupsRequest,
  DescribeGroupsResponse,
} from '../../protocol/messages/describe-groups.ts'
import { groupOperations } from '../authorized-operations.ts'
import type { Failure, RequestContext } from '../context.ts'
import { callerOf } from '../group-caller.ts'

type Answer = DescribeGroupsResponse['groups'][number]

/** First version in which an absent group is an error. */
const firstVersionOfAbsence = 6

export async function describeGroups(
  ctx: RequestContext,
  request: DescribeGroupsRequest,
): Promise<DescribeGroupsResponse> {
  const answers = request.groups.map(async groupId => {
    const answer = await describe(ctx, groupId)
    return answer.errorCode === 0 && request.includeAuthorizedOperations
      ? { ...answer, authorizedOperations: groupOperations }
      : answer
  })
  return { groups: await Promise.all(answers) }
}

async function describe(ctx: RequestContext, groupId: string): Promise<Answer> {
  try {
    const group = await ctx.domain.groups.describeGroup(groupId, callerOf(ctx))
    return {
      errorCode: 0,
      groupId,
      groupState: group.phase,
      protocolType: group.protocolType,
      protocolData: group.protocolName,
      members: group.members.map(({ metadata, assignment, ...member }) => ({
        ...member,
        memberMetadata: metadata,
        memberAssignment: assignment,
      })),
    }
  } catch (error) {
    const failure = ctx.refusal(error)
    if (failure.errorCode !== absent) return refused(groupId, failure, ctx.version)
    const dead = { ...refused(groupId, failure, ctx.version), groupState: 'Dead' }
    if (ctx.version < firstVersionOfAbsence) return { ...dead, errorCode: 0 }
    return { ...dead, errorMessage: `Group ${groupId} not found.` }
  }
}

const absent = errorCode('GROUP_ID_NOT_FOUND')

function refused(groupId: string, { errorCode, errorMessage }: Failure, version: number): Answer {
  return {
    errorCode,
    ...(version >= firstVersionOfAbsence && { errorMessage }),
    groupId,
    groupState: '',
    protocolType: '',
    protocolData: '',
    members: [],
  }
}

export function describeGroupsFailure(
  request: DescribeGroupsRequest,
  failure: Failure,
  version: number,
): DescribeGroupsResponse {
  return { groups: request.groups.map(groupId => refused(groupId, failure, version)) }
}
