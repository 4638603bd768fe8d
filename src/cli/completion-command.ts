/** The command line of `ottla completion`, and the hidden one that its scripts call. */
import { type Command, command, examples } from './command.ts'

/** `ottla completion`. */
export function completion(): Command {
  const completion = command('completion', 'Print a script that completes commands in a shell.')
  for (const shell of ['bash', 'zsh', 'fish']) {
    const one = command(shell, `The script for ${shell}; its first lines say where it goes.`)
    one.action(async () => (await import('./completion.ts')).script(shell))
    examples(one, [[how[shell]!, '']])
    completion.addCommand(one)
  }
  completion.usage('<shell>').helpCommand(false)
  examples(
    completion,
    Object.values(how).map(line => [line, ''] as const),
  )
  return completion
}

const how: Readonly<Record<string, string>> = {
  bash: 'eval "$(ottla completion bash)"',
  zsh: 'eval "$(ottla completion zsh)"',
  fish: 'ottla completion fish > ~/.config/fish/completions/ottla.fish',
}

/** `ottla __complete LINE [BREAKS]`: what a script asks for. */
export function suggestions(): Command {
  const suggestions = command('__complete', 'What a line can go on with, for completion scripts.')
    .argument('<line>')
    .argument('[breaks]')
  return suggestions.action(async (line, breaks, _options, self: Command) =>
    (await import('./completion.ts')).suggest(self.parent!, line, breaks),
  )
}
