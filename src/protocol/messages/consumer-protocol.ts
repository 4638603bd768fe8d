/**
 * What members of a classic consumer group tell each other through the coordinator, which does not
 * look inside.
 */
import { array, bytes, type Incoming, int32, message, string } from '../schema.ts'

/**
 * What a member of a classic consumer group subscribes to, inside JoinGroup. v1 owned partitions
 * (KIP-429) · v2 generation (KIP-792) · v3 rack (KIP-881).
 */
export const consumerProtocolSubscription = message(
  'ConsumerProtocolSubscription',
  { versions: '0-3', flexible: 'none' },
  {
    topics: array(string()),
    userData: bytes({ nullable: '0+', default: null }),
    ownedPartitions: array(
      {
        topic: string(),
        partitions: array(int32()),
      },
      { versions: '1+', ignorable: true },
    ),
    generationId: int32({ versions: '2+', default: -1, ignorable: true }),
    rackId: string({ versions: '3+', nullable: '3+', default: null, ignorable: true }),
  },
)
export type ConsumerProtocolSubscription = Incoming<typeof consumerProtocolSubscription>

/** What a member of a classic consumer group is assigned, inside SyncGroup. */
export const consumerProtocolAssignment = message(
  'ConsumerProtocolAssignment',
  { versions: '0-3', flexible: 'none' },
  {
    assignedPartitions: array({
      topic: string(),
      partitions: array(int32()),
    }),
    userData: bytes({ nullable: '0+', default: null }),
  },
)
export type ConsumerProtocolAssignment = Incoming<typeof consumerProtocolAssignment>
