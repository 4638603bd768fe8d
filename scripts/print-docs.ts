/** Prints the documents that derive from tables: `npm run docs`. */
import { writeFileSync } from 'node:fs'
import { configuration, protocolSupport } from '../src/server/support.ts'

const docs = new URL('../docs/', import.meta.url)
writeFileSync(new URL('protocol-support.md', docs), protocolSupport())
writeFileSync(new URL('configuration.md', docs), configuration())
