/** Loaded into every process of the demo: when the demo is gone, however it went, they go too. */
process.on('disconnect', () => process.exit())
process.channel?.unref()

// Ctrl-C reaches every process of the terminal; the demo itself decides who ends when.
process.on('SIGINT', () => {})
