/**
 * What users can import, read from the sources by TypeScript's own API: every exported name with its
 * docstring, its declaration and its members.
 *
 * The API is the one inside the TypeScript that checks this project, so that the documents need no
 * second compiler; TypeScript 7 calls it unstable, and package.json names one exact version.
 */
import { join, relative } from 'node:path'
import * as is from 'typescript/unstable/ast/is'
import { API, type Project, SymbolFlags, type Symbol as TsSymbol } from 'typescript/unstable/sync'

type Node = Parameters<typeof is.isClassDeclaration>[0]

/** Where something is declared, as `src/client/client.ts` and a line. */
export interface Place {
  readonly file: string
  readonly line: number
}

/** A member of a class, or a field of an interface; inherited ones too, as far as they are ours. */
export interface Member extends Place {
  readonly name: string
  readonly doc: string
  readonly kind: 'constructor' | 'method' | 'field'
  readonly isStatic: boolean
  /** Of a method its signatures, one for each way to call it; of a field its type. */
  readonly texts: readonly string[]
  readonly isOptional: boolean
  /** The types that it speaks of and that files of ours export. */
  readonly mentions: readonly string[]
}

/** A name that an entry point exports. */
export interface PublicName extends Place {
  readonly name: string
  readonly doc: string
  readonly kind: 'class' | 'interface' | 'type' | 'function' | 'const'
  /** Derived from Error. */
  readonly isError: boolean
  /** The declaration without members and body. */
  readonly texts: readonly string[]
  readonly members: readonly Member[]
  /** The types that it speaks of outside its members, and that files of ours export. */
  readonly mentions: readonly string[]
}

const root = join(import.meta.dirname, '..')

/** The names that each of `entries` (`src/index.ts`) exports, in the order of their declarations. */
export function readPublicNames(entries: readonly string[]): Map<string, PublicName[]> {
  const api = new API({ cwd: root })
  try {
    const snapshot = api.updateSnapshot({ openProjects: [join(root, 'tsconfig.json')] })
    const project = snapshot.getProjects()[0]
    if (project === undefined) throw new Error('TypeScript did not open tsconfig.json')
    const reader = new Reader(project)
    return new Map(entries.map(entry => [entry, reader.exportsOf(entry)]))
  } finally {
    api.close()
  }
}

class Reader {
  readonly #project: Project

  constructor(project: Project) {
    this.#project = project
  }

  exportsOf(entry: string): PublicName[] {
    const { program, checker } = this.#project
    const source = program.getSourceFile(join(root, entry))
    const module = source && checker.getSymbolAtLocation(source)
    if (module === undefined) throw new Error(`${entry} is no module of tsconfig.json`)
    return checker
      .getExportsOfModule(module)
      .map(symbol => this.#nameOf(symbol.name, declared(symbol, checker)))
      .sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1))
  }

  #nameOf(name: string, symbol: TsSymbol): PublicName {
    const nodes = this.#declarations(symbol)
    const first = nodes[0]!
    const mentions = nodes.flatMap(node => this.#mentionsOf(node))
    const common = { name, doc: this.#docOf(symbol), ...placeOf(first), mentions }
    if (is.isClassDeclaration(first) || is.isInterfaceDeclaration(first)) {
      const kind = is.isClassDeclaration(first) ? 'class' : 'interface'
      const isError = kind === 'class' && this.#isError(symbol)
      const texts = [headOf(first)]
      return { ...common, kind, isError, texts, members: this.#membersOf(symbol, first) }
    }
    const kind = is.isTypeAliasDeclaration(first)
      ? 'type'
      : is.isFunctionDeclaration(first)
        ? 'function'
        : 'const'
    const texts = is.isVariableDeclaration(first)
      ? [`const ${name}: ${this.#typeOf(symbol, first)}`]
      : callable(nodes).map(node => textOf(node))
    return { ...common, kind, isError: false, texts, members: [] }
  }

  /** Static ones first, then the constructor, then as they are declared, inherited ones last. */
  #membersOf(symbol: TsSymbol, owner: Node): Member[] {
    const { checker } = this.#project
    const isClass = is.isClassDeclaration(owner)
    const statics = isClass ? [...symbol.getExports().values()] : []
    const constructors = isClass
      ? [...symbol.getMembers().values()].filter(({ name }) => name.endsWith('constructor'))
      : []
    const instance = checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol))
    return [
      ...statics.map(each => this.#memberOf(each, true)),
      ...constructors.map(each => this.#memberOf(each, false)),
      ...instance.map(each => this.#memberOf(each, false)),
    ].filter(each => each !== undefined)
  }

  #memberOf(symbol: TsSymbol, isStatic: boolean): Member | undefined {
    const nodes = callable(this.#declarations(symbol))
    const first = nodes[0]
    if (first === undefined || isHidden(first) || this.#isInternal(symbol)) return undefined
    const mentions = nodes.flatMap(node => this.#mentionsOf(node))
    const isOptional = (first as { questionToken?: Node }).questionToken !== undefined
    const common = { doc: this.#docOf(symbol), isStatic, isOptional, mentions, ...placeOf(first) }
    if (is.isConstructorDeclaration(first)) {
      return { ...common, name: 'constructor', kind: 'constructor', texts: nodes.map(textOf) }
    }
    const name = nameOf(first)
    if (is.isMethodDeclaration(first) || is.isMethodSignatureDeclaration(first)) {
      return { ...common, name, kind: 'method', texts: nodes.map(textOf) }
    }
    return { ...common, name, kind: 'field', texts: [this.#typeOf(symbol, first)] }
  }

  /** The type as it is written; where it is not written, as TypeScript finds it. */
  #typeOf(symbol: TsSymbol, node: Node): string {
    const written = (node as { type?: Node }).type
    if (written !== undefined) return dedented(written.getText())
    const { checker } = this.#project
    return checker.typeToString(checker.getTypeOfSymbolAtLocation(symbol, node), node)
  }

  /** The types that are named in `node`, but for bodies, members and default values. */
  #mentionsOf(node: Node): string[] {
    if (is.isTypeReferenceNode(node) || is.isExpressionWithTypeArguments(node)) {
      const name = is.isTypeReferenceNode(node) ? node.typeName : node.expression
      const symbol = this.#project.checker.getSymbolAtLocation(name)
      const own = symbol && declared(symbol, this.#project.checker)
      const isOurs =
        own !== undefined && this.#declarations(own).some(each => wordsOf(each).includes('export'))
      return [...(isOurs ? [own.name] : []), ...this.#mentionsIn(node)]
    }
    return this.#mentionsIn(node)
  }

  #mentionsIn(node: Node): string[] {
    const skipped = new Set<unknown>(notOfItsType(node))
    const found: string[] = []
    node.forEachChild(child => {
      if (!skipped.has(child)) found.push(...this.#mentionsOf(child))
      return undefined
    })
    return found
  }

  #isInternal(symbol: TsSymbol): boolean {
    return symbol.getJsDocTags(this.#project.checker).some(({ name }) => name === 'internal')
  }

  #isError(symbol: TsSymbol): boolean {
    const { checker } = this.#project
    const stack = checker.getPropertyOfType(checker.getDeclaredTypeOfSymbol(symbol), 'stack')
    return stack !== undefined
  }

  #declarations(symbol: TsSymbol): Node[] {
    return symbol.declarations
      .map(handle => handle.resolve(this.#project))
      .filter(node => node !== undefined)
      .filter(node => node.getSourceFile().fileName.startsWith(join(root, 'src')))
  }

  #docOf(symbol: TsSymbol): string {
    return symbol.getDocumentationComment(this.#project.checker).trim()
  }
}

/** What an export stands for: `export { x } from` leads to the declaration of x. */
function declared(symbol: TsSymbol, checker: Project['checker']): TsSymbol {
  return symbol.flags & SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
}

/** Of a function with overloads only these: its own signature is not for callers. */
function callable(nodes: readonly Node[]): readonly Node[] {
  const overloads = nodes.filter(node => (node as { body?: Node }).body === undefined)
  return overloads.length > 0 ? overloads : nodes
}

/** Parts of a declaration that say nothing of its type, or are looked at by themselves. */
function notOfItsType(node: Node): unknown[] {
  const parts = node as unknown as Record<string, unknown>
  const { body, initializer } = parts
  if (is.isClassDeclaration(node)) return [...node.members]
  if (is.isInterfaceDeclaration(node)) return [...node.members, ...(node.heritageClauses ?? [])]
  return [body, initializer]
}

function nameOf(node: Node): string {
  return (node as { name?: Node }).name?.getText() ?? ''
}

function isHidden(node: Node): boolean {
  const words = wordsOf(node)
  return nameOf(node).startsWith('#') || words.includes('private') || words.includes('protected')
}

function wordsOf(node: Node): string[] {
  const { modifiers } = node as { modifiers?: Iterable<Node> }
  return [...(modifiers ?? [])].map(word => word.getText())
}

function placeOf(node: Node): Place {
  const source = node.getSourceFile()
  const { line } = source.getLineAndCharacterOfPosition(node.getStart())
  return { file: relative(root, source.fileName), line: line + 1 }
}

/** `class Consumer<K> implements AsyncDisposable`; of an interface no bases: their fields are among its own. */
function headOf(node: Node): string {
  const { members } = node as unknown as { members: { readonly pos: number } }
  const before = node.getSourceFile().text.slice(node.getStart(), members.pos)
  const head = before.slice(0, before.lastIndexOf('{')).replace(/\s+/g, ' ').trim()
  return head
    .replace(/^export /, '')
    .replace(is.isInterfaceDeclaration(node) ? / extends [A-Z][^=]*$/ : /$^/, '')
}

/** A declaration without its body, and without the words that tell a caller nothing. */
function textOf(node: Node): string {
  const { body } = node as { body?: Node }
  const source = node.getSourceFile().text
  const text = source.slice(node.getStart(), body?.getStart() ?? node.getEnd())
  return dedented(text.replace(/^((export|async|override|static|public|readonly) )+/, '').trim())
}

/** The lines after the first as far to the left as they go. */
function dedented(text: string): string {
  const [first = '', ...rest] = text.split('\n')
  const depths = rest.filter(line => line.trim() !== '').map(line => line.search(/\S/))
  const depth = Math.max(
    0,
    Math.min(...depths) - (/^[\])}>]/.test(rest.at(-1)?.trim() ?? '') ? 0 : 2),
  )
  return [first, ...rest.map(line => line.slice(Number.isFinite(depth) ? depth : 0))].join('\n')
}
