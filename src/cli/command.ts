/** What every command is made of: its form, options that come again, examples in its help. */
import { Command, InvalidArgumentError } from 'commander'
import { styled } from './output.ts'

export { type Command, CommanderError } from 'commander'

/** A command that throws instead of exiting, and leaves it to `main` to say what was wrong. */
export function command(name: string, about: string): Command {
  return new Command(name)
    .description(about)
    .exitOverride()
    .helpOption('-h, --help', 'show this')
    .configureOutput({ writeErr: text => process.stdout.write(text), outputError: () => {} })
    .configureHelp({ styleTitle: title => styled('bold', title) })
    .showSuggestionAfterError()
}

/** Adds examples, each with what it does, to the end of the help. */
export function examples(to: Command, lines: readonly (readonly [string, string])[]): void {
  const explained = lines.filter(([, about]) => about !== '')
  const width = Math.max(0, ...explained.map(([example]) => example.length))
  const text = lines.map(([example, about]) =>
    about === '' ? `  ${example}` : `  ${example.padEnd(width)}  ${styled('dim', about)}`,
  )
  to.addHelpText('after', `\n${styled('bold', 'Examples:')}\n${text.join('\n')}`)
}

/** What each command needs that talks to a broker. */
export function talks(to: Command): Command {
  return to.option(
    '-b, --bootstrap <host:port,...>',
    'where to find the cluster; one broker that answers is enough',
    'localhost:9092',
  )
}

/** For options that can be repeated. */
export function collect(value: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), value]
}

/** A parser of whole numbers within bounds, both inclusive. */
export function whole(min: number, max = Number.MAX_SAFE_INTEGER): (value: string) => number {
  return value => {
    const number = value.trim() === '' ? Number.NaN : Number(value)
    if (Number.isSafeInteger(number) && number >= min && number <= max) return number
    const upper = max === Number.MAX_SAFE_INTEGER ? 'or more' : `to ${max}`
    throw new InvalidArgumentError(`It must be a whole number, ${min} ${upper}.`)
  }
}

/** A parser that takes one of `choices`, which shell completion offers. */
export function oneOf(
  ...choices: readonly string[]
): ((value: string) => string) & { readonly choices: readonly string[] } {
  const parse = (value: string) => {
    if (choices.includes(value)) return value
    throw new InvalidArgumentError(`It must be one of ${choices.join(', ')}.`)
  }
  return Object.assign(parse, { choices })
}
