/** Prints the documents that derive from tables and docstrings: `npm run docs`. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { configuration, protocolSupport } from '../src/server/support.ts'
import { apiDocs } from './api-docs.ts'

const docs = new URL('../docs/', import.meta.url)
writeFileSync(new URL('protocol-support.md', docs), protocolSupport())
writeFileSync(new URL('configuration.md', docs), configuration())

const api = new URL('api/', docs)
const pages = apiDocs()
rmSync(api, { recursive: true, force: true })
mkdirSync(api)
for (const [file, text] of pages) writeFileSync(new URL(file, api), text)
