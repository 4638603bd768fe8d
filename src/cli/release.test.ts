import assert from 'node:assert/strict'
import { test } from 'node:test'
import { apis } from '../server/apis.ts'
import { oldestClient, releaseOf } from './release.ts'

const api = (apiKey: number, minVersion: number, maxVersion: number) => ({
  apiKey,
  minVersion,
  maxVersion,
})

test('the age of a broker shows in its APIs', () => {
  assert.equal(releaseOf([api(1, 0, 2), api(18, 0, 0)]), '0.10.0')
  assert.equal(releaseOf([api(1, 0, 11), api(0, 0, 8), api(18, 0, 3)]), '2.4')
  assert.equal(releaseOf([api(1, 0, 16), api(18, 0, 3)]), '3.7')
  assert.equal(releaseOf([api(1, 0, 17), api(18, 0, 4), api(75, 0, 0)]), '3.9')
  assert.equal(releaseOf([api(1, 4, 17), api(18, 0, 4), api(75, 0, 0)]), '4.0')
  assert.equal(releaseOf([api(1, 4, 18)]), '4.1')
})

test('the broker of this repository asks for clients of 2.1, as Kafka 4 does', () => {
  const own = apis.map(({ request, served, listedMin }) =>
    api(request.apiKey!, listedMin, served.last),
  )
  assert.equal(releaseOf(own), '4.1')
  assert.equal(oldestClient(own), '2.1 (2018)')
  assert.equal(oldestClient([api(1, 0, 17)]), '0.10 (2016)')
})
