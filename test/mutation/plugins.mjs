import { declareClassPlugin, declareValuePlugin, PluginKind } from '@stryker-mutator/api/plugin'

/**
 * Sentences and SQL are not mutated: all that Stryker does to a text is to empty it. An emptied statement fails wherever
 * it runs, which would only flatter the score, and the wording of a message is for people to judge. Codes, names and
 * patterns hold no space between words, and are mutated.
 */
const isSentence = (text) => /[A-Za-z].*\s|\s.*[A-Za-z]/s.test(text)

const partsOf = (node) => {
  if (node.type === 'StringLiteral') return [node.value]
  if (node.type === 'TemplateLiteral') return node.quasis.map(({ value }) => value.raw)
  if (node.type === 'BinaryExpression' && node.operator === '+') return [...partsOf(node.left), ...partsOf(node.right)]
  return []
}

const texts = {
  shouldIgnore(path) {
    if (path.node.type !== 'StringLiteral' && path.node.type !== 'TemplateLiteral') return undefined
    // A sentence over several lines is a sum of texts, of which one may be a single word.
    let whole = path
    while (whole.parent?.type === 'BinaryExpression' && whole.parent.operator === '+') whole = whole.parentPath
    return partsOf(whole.node).some(isSentence) ? 'a sentence or SQL' : undefined
  },
}

/** Prints every mutant that lives, when it is found: a run is long. */
class Survivors {
  onMutantTested({ status, fileName, location, mutatorName, replacement = '', testsCompleted }) {
    if (status === 'Killed' || status === 'Ignored') return
    const shown = replacement.replace(/\s+/g, ' ').slice(0, 100)
    const place = `${fileName}:${location.start.line}:${location.start.column}`
    process.stdout.write(`${status} ${place} ${mutatorName} → ${shown} (${testsCompleted ?? 0} tests)\n`)
  }
}

export const strykerPlugins = [
  declareValuePlugin(PluginKind.Ignore, 'texts', texts),
  declareClassPlugin(PluginKind.Reporter, 'survivors', Survivors),
]
