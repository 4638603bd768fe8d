import type { Disk } from '../io/io.ts'
import { formatEpochs } from './checkpoint-file.ts'
import { leaderEpochsName } from './file-names.ts'
import type { LeaderEpochs } from './leader-epochs.ts'

/** Below any epoch, and below that of no record. */
export const unsaved = -2

/** The file of an epoch table, written one time after the other. */
export class LeaderEpochsFile {
  readonly #disk: Disk
  readonly #path: string
  readonly #epochs: LeaderEpochs
  #saving: Promise<void> = Promise.resolve()
  #wished = 0
  #done = 0

  constructor(disk: Disk, folder: string, epochs: LeaderEpochs) {
    this.#disk = disk
    this.#path = `${folder}/${leaderEpochsName}`
    this.#epochs = epochs
  }

  /** It says what the table said when that was last to be saved. */
  get isSaved(): boolean {
    return this.#done === this.#wished
  }

  /** Resolves when the file says what the table says then; answers the newest epoch in it. */
  save(): Promise<number> {
    const wish = ++this.#wished
    const saved = this.#saving.then(async () => {
      const { entries, latest } = this.#epochs
      await this.#disk.replaceFile(this.#path, formatEpochs(entries))
      this.#done = wish
      return latest
    })
    this.#saving = saved.then(
      () => {},
      () => {},
    )
    return saved
  }
}
