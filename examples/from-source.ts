/**
 * In this repository the examples say `import … from 'ottla'` as users do, and get the sources:
 *
 *     npx node --import ./examples/from-source.ts examples/broker.ts
 */
import { registerHooks } from 'node:module'

const sources = new Map([
  ['ottla', new URL('../src/index.ts', import.meta.url).href],
  ['ottla/testing', new URL('../src/testing.ts', import.meta.url).href],
])

registerHooks({
  resolve: (specifier, context, next) => next(sources.get(specifier) ?? specifier, context),
})
