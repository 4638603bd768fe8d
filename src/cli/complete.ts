/**
 * What can follow on a command line: the pure part of shell completion. It walks the same commander
 * tree that parses, so that nothing is listed twice. What a value stands for is told by the name that
 * it has in the help: `<topic>`, `<group>`, `<file>`, or by the words that it may be.
 */
import type { Argument, Command, Option } from 'commander'
import { brokerKeys } from '../config/broker-keys.ts'
import { topicKeys } from '../config/topic-keys.ts'

export interface Candidate {
  readonly value: string
  readonly about?: string
}

/** What the shell has to offer; names are asked of the cluster, files are the shell's own. */
export interface Completion {
  /** The part of the word that stays as it is: `--topic=`. */
  readonly prefix: string
  /** The rest of the word so far; what is offered begins with it. */
  readonly typed: string
  readonly candidates: readonly Candidate[]
  readonly ask?: 'topics' | 'groups' | 'files' | undefined
  /** What was given with --bootstrap. */
  readonly bootstrap?: string | undefined
}

type Offered = Pick<Completion, 'candidates' | 'ask'>

/** Completes `line`, which ends at the cursor and begins with the name of the program. */
export function complete(root: Command, line: string): Completion {
  const words = splitLine(line.trimStart())
  const word = words.pop() ?? ''
  const seen = walk(root, words.slice(1))
  const { command, args, pending, bootstrap, ended } = seen
  const equals = !ended && pending === undefined && word.startsWith('-') ? word.indexOf('=') : -1
  const option = equals < 0 ? pending : optionOf(command, word.slice(0, equals))
  const [prefix, typed] = [word.slice(0, equals + 1), word.slice(equals + 1)]
  const { candidates, ask }: Offered =
    option !== undefined
      ? valuesOf(option, command, args)
      : !ended && word.startsWith('-')
        ? { candidates: optionsOf(command) }
        : nextWord(command, args)
  return {
    prefix,
    typed,
    candidates: candidates.filter(({ value }) => value.startsWith(typed)),
    ask,
    bootstrap,
  }
}

/** A subcommand, or the next argument. */
function nextWord(command: Command, args: readonly string[]): Offered {
  const subcommands = command.createHelp().visibleCommands(command)
  if (subcommands.length > 0) {
    return {
      candidates: subcommands.map(each => ({ value: each.name(), about: each.description() })),
    }
  }
  const { registeredArguments } = command
  const last = registeredArguments.at(-1)
  const argument = registeredArguments[args.length] ?? (last?.variadic ? last : undefined)
  return argument === undefined ? { candidates: [] } : valuesOf(argument, command, args)
}

interface Seen {
  readonly command: Command
  readonly args: readonly string[]
  /** The option that waits for its value. */
  readonly pending: Option | undefined
  readonly bootstrap: string | undefined
  /** Behind `--`, where nothing is an option. */
  readonly ended: boolean
}

/** Reads the words before the cursor as commander will. */
function walk(root: Command, words: readonly string[]): Seen {
  let command = root
  let args: string[] = []
  let pending: Option | undefined
  let bootstrap: string | undefined
  let ended = false
  for (const word of words) {
    if (pending !== undefined) {
      if (pending.long === '--bootstrap') bootstrap = word
      pending = undefined
    } else if (!ended && word === '--') {
      ended = true
    } else if (!ended && word.startsWith('-') && word !== '-') {
      const [flag = '', ...value] = word.split('=')
      const option = optionOf(command, flag)
      if (value.length === 0 && (option?.required || option?.optional)) pending = option
      if (option?.long === '--bootstrap' && value.length > 0) bootstrap = value.join('=')
    } else {
      const subcommand = command.commands.find(each => each.name() === word)
      if (subcommand === undefined) args.push(word)
      else [command, args] = [subcommand, []]
    }
  }
  return { command, args, pending, bootstrap, ended }
}

function optionOf(command: Command, flag: string): Option | undefined {
  return command.options.find(({ short, long }) => short === flag || long === flag)
}

function optionsOf(command: Command): Candidate[] {
  const options = command.createHelp().visibleOptions(command)
  return options.flatMap(({ long, short, description }) => {
    const value = long ?? short
    return value === undefined || value === null ? [] : [{ value, about: description }]
  })
}

/** By the words it may be, else by its name in the help. */
function valuesOf(of: Option | Argument, command: Command, args: readonly string[]): Offered {
  const choices = of.argChoices ?? choicesOf(of.parseArg)
  if (choices !== undefined) return { candidates: choices.map(value => ({ value })) }
  const family = command.parent?.name()
  const name = 'flags' in of ? (/[<[]([^\s>\]]+)/u.exec(of.flags)?.[1] ?? '') : of.name()
  if (/^topic\b/u.test(name) || (name === 'name' && family === 'topics')) return asked('topics')
  if (/^group\b/u.test(name)) return asked('groups')
  if (/^(?:file|path|dir|directory)\b/u.test(name)) return asked('files')
  if (family === 'configs') return configWords(command.name(), args)
  if (name === 'key=value') return keys(family === 'topics' ? 'topic' : 'broker', '=')
  if (name === 'key' && family === 'topics') return keys('topic', '')
  return { candidates: [] }
}

function asked(ask: NonNullable<Completion['ask']>): Offered {
  return { candidates: [], ask }
}

/** `configs set topic NAME key=`: the kind, then whose, then keys. */
function configWords(verb: string, [kind, ...names]: readonly string[]): Offered {
  if (kind !== 'topic' && kind !== 'broker') return { candidates: [] }
  const isName = kind === 'topic' && (names.length === 0 || verb === 'describe')
  if (isName) return asked('topics')
  return verb === 'describe' ? { candidates: [] } : keys(kind, verb === 'set' ? '=' : '')
}

function keys(kind: 'topic' | 'broker', suffix: string): Offered {
  const table = kind === 'topic' ? topicKeys : brokerKeys
  return {
    candidates: [...table.values()]
      .filter(({ meaning }) => meaning === 'acts')
      .map(({ name, doc }) => ({ value: name + suffix, about: doc })),
  }
}

function choicesOf(parse: unknown): readonly string[] | undefined {
  return typeof parse === 'function' && 'choices' in parse && Array.isArray(parse.choices)
    ? parse.choices
    : undefined
}

/** Words of a line as a shell cuts it; the last one is where the cursor is, '' behind a space. */
export function splitLine(line: string): string[] {
  const words = ['']
  const pieces = line.matchAll(/\\(.)|'([^']*)'?|"((?:[^"\\]|\\.)*)"?|(\s+)|(.)/gsu)
  for (const [, escaped, single, double, space, plain] of pieces) {
    if (space !== undefined) words.push('')
    else {
      const text = escaped ?? single ?? double?.replace(/\\(.)/gsu, '$1') ?? plain
      words.push(`${words.pop()}${text}`)
    }
  }
  return words
}
