/**
 * The entry point `ottla/kafkajs/register`: from its import on, whatever loads `kafkajs` in this
 * process, by `import` or `require`, gets `ottla/kafkajs`. For programs whose framework does that, as
 * NestJS does. kafkajs need not be installed.
 */
import { registerHooks } from 'node:module'

// A .ts file where this is one, and .js where it was built.
const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'))
const target = new URL(`../kafkajs${extension}`, import.meta.url).href

registerHooks({
  resolve: (specifier, context, nextResolve) =>
    specifier === 'kafkajs'
      ? {
          url: target,
          format: extension === '.ts' ? 'module-typescript' : 'module',
          shortCircuit: true,
        }
      : nextResolve(specifier, context),
})
