/**
 * How native libraries come in: by a `require` made at run time. A bundler does not see it, so a
 * bundle is made without a plugin and without them; it looks for them in the node_modules that it is
 * run beside. Each caller says what becomes of it where there is none.
 */
import { createRequire } from 'node:module'

/** Loads the library `name`; throws when it is not installed, or has no binary for this platform. */
export function requireAddon<Library>(name: string): Library {
  // In a bundle in CommonJS there is no import.meta.url.
  return createRequire(import.meta.url ?? __filename)(name) as Library
}
