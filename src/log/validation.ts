import type { LogConfig } from '../config/log-config.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { Batch } from '../protocol/records/batch.ts'

export interface ValidationOptions {
  readonly config: LogConfig
  readonly nowMs: number
}

export interface ValidatedBatches {
  readonly bytes: Uint8Array
  readonly batches: readonly Batch[]
  readonly recordCount: number
  readonly logAppendTimeMs: number
  readonly maxTimestamp: number
}

export interface RecordErrorDetail {
  readonly batchIndex: number
  readonly message: string
}

export class RecordsError extends KafkaError {
  readonly recordErrors: readonly RecordErrorDetail[]
  constructor(
    error: 'INVALID_RECORD' | 'INVALID_TIMESTAMP',
    detail: string,
    recordErrors: readonly RecordErrorDetail[],
  ) {
    super(error, detail)
    this.recordErrors = recordErrors
  }
}

export function validateForAppend(
  records: Uint8Array,
  options: ValidationOptions,
): ValidatedBatches {
  throw new KafkaError('INVALID_RECORD', `${records.length} ${options.nowMs}`)
}
