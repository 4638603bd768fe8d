import type { Disk } from '../io/io.ts'
import { formatEpochs } from './checkpoint-file.ts'
import { leaderEpochsName } from './file-names.ts'
import type { LeaderEpochs } from './leader-epochs.ts'

/** The file of an epoch table, written one time after the other. */
export class LeaderEpochsFile {
  readonly #disk: Disk
  readonly #path: string
  readonly #epochs: LeaderEpochs
  #saving: Promise<void> | undefined
  /** It says what the table said when that was last to be saved. */
  isSaved = true

  constructor(disk: Disk, folder: string, epochs: LeaderEpochs) {
    this.#disk = disk
    this.#path = `${folder}/${leaderEpochsName}`
    this.#epochs = epochs
  }

  /** Resolves when the file says what the table says then. */
  save(): Promise<void> {
    this.isSaved = false
    const saved = (this.#saving ?? Promise.resolve()).then(async () => {
      await this.#disk.replaceFile(this.#path, formatEpochs(this.#epochs.entries))
      this.isSaved = true
    })
    const saving = saved
      .catch(() => {})
      .then(() => {
        if (this.#saving === saving) this.#saving = undefined
      })
    this.#saving = saving
    return saved
  }
}
