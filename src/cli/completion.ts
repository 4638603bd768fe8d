/** `ottla completion`, and what its scripts ask for at each press of the key. */
import { setTimeout as delay } from 'node:timers/promises'
import { Cluster } from '../client/cluster.ts'
import { listGroups } from '../client/groups.ts'
import { nodeIo } from '../io/node.ts'
import { addresses } from './bootstrap.ts'
import type { Command } from './command.ts'
import { type Completion, complete } from './complete.ts'
import { print } from './output.ts'

/** Each asks `ottla __complete`, and so knows what the version installed can do. */
const scripts: Readonly<Record<string, string>> = {
  bash: String.raw`# Completion of ottla for bash. Put this line into ~/.bashrc:
#   eval "$(ottla completion bash)"
_ottla() {
  local value about word="${'$'}{COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  while IFS=$'\t' read -r value about; do
    if [[ $value == :files ]]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r value; do COMPREPLY+=("$value"); done < <(compgen -f -- "${'$'}{word#=}")
    else
      if [[ $value == *= ]]; then compopt -o nospace 2>/dev/null; fi
      COMPREPLY+=("$(printf %q "$value")")
    fi
  done < <("$1" __complete "${'$'}{COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
}
complete -F _ottla ottla
`,
  zsh: String.raw`#compdef ottla
# Completion of ottla for zsh. Put this line into ~/.zshrc, behind compinit:
#   eval "$(ottla completion zsh)"
_ottla() {
  local value about
  local -a whole open
  while IFS=$'\t' read -r value about; do
    if [[ $value == :files ]]; then
      _files
      return
    fi
    about="${'$'}{value//:/\\:}:$about"
    if [[ $value == *= ]]; then open+=("$about"); else whole+=("$about"); fi
  done < <("${'$'}{words[1]}" __complete "${'$'}{(j: :)words[1,CURRENT]}" 2>/dev/null)
  local offered=1
  _describe ottla whole && offered=0
  _describe ottla open -S '' && offered=0
  return offered
}
compdef _ottla ottla
`,
  fish: String.raw`# Completion of ottla for fish. Put it into ~/.config/fish/completions/ottla.fish:
#   ottla completion fish > ~/.config/fish/completions/ottla.fish
function __ottla_complete
    set -l found (command ottla __complete (commandline -cp) 2>/dev/null)
    if test "$found[1]" = :files
        __fish_complete_path (commandline -ct)
    else
        printf '%s\n' $found
    end
end
complete -c ottla -f -a '(__ottla_complete)'
`,
}

/** The shells there are scripts for. */
export const shells = Object.keys(scripts)

export async function script(shell: string): Promise<void> {
  await print(scripts[shell]!)
}

/** How long a person waits for names from a cluster: then there are none. */
const deadlineMs = 300

/**
 * Prints what `line` can go on with, one a line, a tab and what it is for behind it. `breaks` are the
 * characters at which bash cuts words: it replaces only what is behind the last of them.
 */
export async function suggest(root: Command, line: string, breaks = ''): Promise<void> {
  const completion = complete(root, line)
  const { prefix, typed, ask } = completion
  if (ask === 'files') return await print(':files\n')
  const names = ask === undefined ? [] : await namesOf(ask, completion)
  const candidates = [...completion.candidates, ...names.map(value => ({ value, about: '' }))]
  const kept = cutAt(prefix + typed, breaks)
  const lines = candidates
    .filter(({ value }) => value.startsWith(typed) && !/\p{Cc}/u.test(value))
    .map(({ value, about = '' }) => `${(prefix + value).slice(kept)}\t${about.split('\n', 1)[0]}\n`)
  await print(lines.join(''))
}

/** The length of a word up to its last break, where bash begins a new one. */
function cutAt(word: string, breaks: string): number {
  const inWord = [...breaks].filter(each => ':=@'.includes(each))
  return Math.max(0, ...inWord.map(each => word.lastIndexOf(each) + 1))
}

/** Names there are, or none when no broker tells them in time. */
async function namesOf(
  ask: 'topics' | 'groups',
  { bootstrap }: Completion,
): Promise<readonly string[]> {
  let cluster: Cluster | undefined
  try {
    const where = addresses(bootstrap ?? 'localhost:9092')
    cluster = new Cluster(nodeIo(), { bootstrap: where, failFast: true, timeoutMs: deadlineMs })
    const found = ask === 'topics' ? topicNames(cluster) : groupNames(cluster)
    return await Promise.race([found, delay(deadlineMs, [], { ref: false })])
  } catch {
    return []
  } finally {
    cluster?.close()
  }
}

async function topicNames(cluster: Cluster): Promise<string[]> {
  const { topics } = await cluster.metadata()
  return topics.filter(({ isInternal }) => !isInternal).map(({ name }) => name ?? '')
}

async function groupNames(cluster: Cluster): Promise<string[]> {
  return (await listGroups(cluster)).map(({ group }) => group)
}
