/**
 * npm run vectors -- FILE…   checks files of message vectors or record batch vectors, and exits 1
 * when one disagrees.
 */
import { checkVectors, readLines } from './check.ts'
import { compiledCodec } from './message-vectors.ts'

const shown = 10
const paths = process.argv.slice(2)
if (paths.length === 0) {
  console.error('usage: npm run vectors -- FILE…')
  process.exitCode = 1
}
for (const path of paths) {
  try {
    const { total, disagreements } = checkVectors(readLines(path), compiledCodec)
    for (const text of disagreements.slice(0, shown)) console.log(text)
    const more = disagreements.length - shown
    if (more > 0) console.log(`… and ${more} more`)
    console.log(`${path}: ${total - disagreements.length} of ${total} agree`)
    if (disagreements.length > 0 || total === 0) process.exitCode = 1
  } catch (error) {
    console.error(`${path}: ${error instanceof Error ? error.message : error}`)
    process.exitCode = 1
  }
}
