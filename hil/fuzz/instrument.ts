import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/** How often each place of the instrumented sources was passed since it was last cleared. */
export interface Hits {
  readonly counts: Uint8Array<ArrayBuffer>
  /** How many of the counts are in use: more with each source that is loaded. */
  readonly used: () => number
}

const MAX_PLACES = 1 << 15
const NAME = '__attestryHits'

/**
 * From here on, sources of the pure parts, and the readers of enrolment's files, are loaded with a counter at each place where control may go one way or another:
 * the feedback of a coverage-guided fuzzer. To be called before any of them is imported.
 */
export function instrumentSources(): Hits {
  const counts = new Uint8Array(MAX_PLACES)
  Object.defineProperty(globalThis, NAME, { value: counts })
  let places = 0
  registerHooks({
    load(url, context, nextLoad) {
      if (!/\/src\/(?:(?:core|tcg|evidence|record)\/[^/]+|agent\/enrol-f[a-z]+)\.ts$/.test(url))
        return nextLoad(url, context)
      const { outputText } = ts.transpileModule(readFileSync(fileURLToPath(url), 'utf8'), {
        fileName: url,
        compilerOptions: { target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true },
        transformers: { before: [counting(() => places++ % MAX_PLACES)] },
      })
      return { format: 'module', source: outputText, shortCircuit: true }
    },
  })
  return { counts, used: () => Math.min(places, MAX_PLACES) }
}

/** Puts a counter in front of each block, case, branch and right-hand side. */
function counting(next: () => number): ts.TransformerFactory<ts.SourceFile> {
  return (context) => {
    const { factory } = context
    const hit = (): ts.Expression =>
      factory.createPostfixIncrement(factory.createElementAccessExpression(factory.createIdentifier(NAME), next()))
    const counted = (expression: ts.Expression): ts.Expression =>
      factory.createParenthesizedExpression(factory.createComma(hit(), expression))
    const statement = () => factory.createExpressionStatement(hit())
    const visit = (node: ts.Node): ts.Node => {
      const seen = ts.visitEachChild(node, visit, context)
      if (ts.isBlock(seen)) return factory.updateBlock(seen, [statement(), ...seen.statements])
      if (ts.isCaseClause(seen)) {
        return factory.updateCaseClause(seen, seen.expression, [statement(), ...seen.statements])
      }
      if (ts.isConditionalExpression(seen)) {
        const { condition, questionToken, whenTrue, colonToken, whenFalse } = seen
        const [yes, no] = [counted(whenTrue), counted(whenFalse)]
        return factory.updateConditionalExpression(seen, condition, questionToken, yes, colonToken, no)
      }
      if (ts.isBinaryExpression(seen) && SHORT_CIRCUITS.has(seen.operatorToken.kind)) {
        return factory.updateBinaryExpression(seen, seen.left, seen.operatorToken, counted(seen.right))
      }
      if (ts.isIfStatement(seen) && !ts.isBlock(seen.thenStatement)) {
        const then = factory.createBlock([statement(), seen.thenStatement])
        return factory.updateIfStatement(seen, seen.expression, then, seen.elseStatement)
      }
      if (ts.isArrowFunction(seen) && !ts.isBlock(seen.body)) {
        const { modifiers, typeParameters, parameters, type, equalsGreaterThanToken } = seen
        const body = counted(seen.body)
        return factory.updateArrowFunction(
          seen,
          modifiers,
          typeParameters,
          parameters,
          type,
          equalsGreaterThanToken,
          body,
        )
      }
      return seen
    }
    return (file) => ts.visitEachChild(file, visit, context)
  }
}

const SHORT_CIRCUITS: ReadonlySet<ts.SyntaxKind> = new Set([
  ts.SyntaxKind.AmpersandAmpersandToken,
  ts.SyntaxKind.BarBarToken,
  ts.SyntaxKind.QuestionQuestionToken,
])
