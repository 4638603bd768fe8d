#!/usr/bin/env node
// Plain old JavaScript on purpose: an old Node has to get as far as the sentence below.
var version = process.versions.node.split('.').map(Number)
if (version[0] < 22 || (version[0] === 22 && version[1] < 15)) {
  console.error(
    'ottla needs Node 22.15 or later and this is ' +
      process.versions.node +
      ': install a newer one from https://nodejs.org and try again.',
  )
  process.exitCode = 1
} else {
  process.getBuiltinModule('node:module').enableCompileCache()
  // In the sources Node strips the types; a package holds the JavaScript that was built from them.
  import(/\/src\/bin\.js$/.test(import.meta.url) ? './cli/main.ts' : './cli/main.js')
}
