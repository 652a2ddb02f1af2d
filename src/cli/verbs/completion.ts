import type { Command } from 'commander'
import type { Context } from '../context.js'
import { Exit } from '../exit.js'
import { buildProgram } from '../program.js'

/** Prints a script that completes verbs and flags. It is made from the command tree, so the two cannot differ. */
export async function completion(context: Context, _options: unknown, shell: 'bash' | 'zsh' | 'fish'): Promise<number> {
  const places = placesOf(
    buildProgram(context.io, () => Promise.resolve()),
    '',
  )
  const script = { bash, zsh, fish }[shell](places)
  if (context.json) context.reply({ shell, script })
  else context.show(script)
  return Exit.ok
}

/** What can be typed after a sequence of verbs. */
interface Place {
  /** `key create`, '' at the start. */
  readonly path: string
  readonly verbs: readonly Word[]
  readonly flags: readonly Word[]
}
interface Word {
  readonly text: string
  readonly about: string
}

function placesOf(command: Command, path: string): Place[] {
  const globals = command.parent === null ? [] : rootOf(command).options
  const flags = [...command.options, ...globals].flatMap(({ long, description }) =>
    long ? [{ text: long, about: description }] : [],
  )
  const verbs = command.commands.map((verb) => ({ text: verb.name(), about: verb.description() }))
  const place = { path, verbs, flags: [...flags, { text: '--help', about: 'show the help' }] }
  return [
    place,
    ...command.commands.flatMap((verb) => placesOf(verb, path === '' ? verb.name() : `${path} ${verb.name()}`)),
  ]
}

const rootOf = (command: Command): Command => (command.parent === null ? command : rootOf(command.parent))

const steps = (places: readonly Place[]): string[] => places.flatMap(({ path }) => (path === '' ? [] : [path]))
const texts = ({ verbs, flags }: Place): string => [...verbs, ...flags].map(({ text }) => text).join(' ')

// Where nothing of ours fits, the shell completes file names.
const bash = (
  places: readonly Place[],
): string => `# spendgate completion for bash. Put into ~/.bashrc:  eval "$(spendgate completion bash)"
_spendgate() {
  local current=\${COMP_WORDS[COMP_CWORD]} at='' words='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${at:+$at }\${COMP_WORDS[i]}" in
      ${steps(places)
        .map((path) => `'${path}'`)
        .join(' | ')}) at="\${at:+$at }\${COMP_WORDS[i]}" ;;
    esac
  done
  case $at in
${places.map((place) => `    '${place.path}') words='${texts(place)}' ;;`).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _spendgate spendgate
`

const zsh = (places: readonly Place[]): string => `#compdef spendgate
# spendgate completion for zsh. Put into ~/.zshrc:  eval "$(spendgate completion zsh)"
_spendgate() {
  local at='' i
  local -a choices
  for ((i = 2; i < CURRENT; i++)); do
    case "\${at:+$at }\${words[i]}" in
      ${steps(places)
        .map((path) => `'${path}'`)
        .join(' | ')}) at="\${at:+$at }\${words[i]}" ;;
    esac
  done
  case $at in
${places.map((place) => `    '${place.path}') choices=(${described(place)}) ;;`).join('\n')}
  esac
  _describe 'spendgate' choices || _files
}
compdef _spendgate spendgate
`

const described = ({ verbs, flags }: Place): string =>
  [...verbs, ...flags].map(({ text, about }) => quoted(`${text}:${about.replaceAll(':', '\\:')}`)).join(' ')

const fish = (
  places: readonly Place[],
): string => `# spendgate completion for fish. Put into ~/.config/fish/completions/spendgate.fish
function __spendgate_at
  set -l at ''
  for word in (commandline -opc)[2..-1]
    set -l next (string trim "$at $word")
    switch $next
      case ${steps(places).map(quoted).join(' ')}
        set at $next
    end
  end
  test "$at" = "$argv[1]"
end
${places.flatMap(fishLines).join('\n')}
`

function fishLines({ path, verbs, flags }: Place): string[] {
  const when = `complete -c spendgate -n "__spendgate_at '${path}'"`
  return [
    ...verbs.map(({ text, about }) => `${when} -f -a ${text} -d ${quoted(about)}`),
    ...flags.map(({ text, about }) => `${when} -l ${text.slice(2)} -d ${quoted(about)}`),
  ]
}

/** In single quotes, as bash and zsh read them; fish reads this form too. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
