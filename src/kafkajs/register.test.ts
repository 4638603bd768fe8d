import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'

const register = pathToFileURL(join(import.meta.dirname, 'register.ts')).href
const entry = join(import.meta.dirname, '../kafkajs.ts')

async function said(type: 'module' | 'commonjs', program: string): Promise<string> {
  const args = ['--no-warnings', '--input-type', type, '--import', register, '--eval', program]
  return (await promisify(execFile)(process.execPath, args)).stdout.trim()
}

test('a program that imports kafkajs gets ottla/kafkajs', async () => {
  const program = `
    import kafkajs, { Kafka } from 'kafkajs'
    import * as ottla from ${JSON.stringify(pathToFileURL(entry).href)}
    process.stdout.write([Kafka === ottla.Kafka, kafkajs.Kafka === Kafka].join())`
  assert.equal(await said('module', program), 'true,true')
})

test('a program that requires kafkajs gets it too', async () => {
  const program = `
    const { Kafka, Partitioners } = require('kafkajs')
    const ottla = require(${JSON.stringify(entry)})
    process.stdout.write([Kafka === ottla.Kafka, typeof Partitioners.LegacyPartitioner].join())`
  assert.equal(await said('commonjs', program), 'true,function')
})
