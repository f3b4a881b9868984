import type { Action, Rule } from '../../../hil/hsm-fault/plan.ts'
import type { OperationName } from './operations.ts'

/** When a fault strikes: while the device process starts, in one that works, or while that one opens its token anew. */
export type Moment = 'start' | 'later' | 'recovery'

export interface Cell {
  readonly operation: OperationName
  readonly moment: Moment
  readonly fn: string
  readonly fault: string
  readonly rules: readonly Rule[]
  /** The operation must succeed in spite of it. */
  readonly succeeds: boolean
  /** Nothing that Attestry could check protects what comes out. */
  readonly unprotected: boolean
  /** The device gives up for good. */
  readonly final: boolean
}

const LATER: Readonly<Record<OperationName, readonly string[]>> = {
  sign: ['C_SignInit', 'C_Sign'],
  encrypt: ['C_GenerateRandom', 'C_EncryptInit', 'C_Encrypt'],
  decrypt: ['C_DecryptInit', 'C_Decrypt'],
  generate: ['C_OpenSession', 'C_GenerateKey', 'C_CloseSession', 'C_FindObjects'],
  generatePair: ['C_GenerateKeyPair'],
  list: ['C_FindObjectsInit', 'C_FindObjects', 'C_FindObjectsFinal', 'C_GetAttributeValue'],
}
const OPENING = ['C_Initialize', 'C_GetSlotList', 'C_GetTokenInfo', 'C_OpenSession', 'C_Login']
const FINDING = ['C_FindObjectsInit', 'C_FindObjects', 'C_FindObjectsFinal', 'C_GetSessionInfo', 'C_GetAttributeValue']

const HANDLES_LOST = ['return 0xb3', 'return 0xb0', 'return 0x60', 'return 0x82', 'return 0x90', 'return 0x101']
const MAY_PASS = ['return 0x5', 'return 0x6']
const CRASHES = ['segv', 'abort', 'exit 5'] as const
const FINAL = [
  'return 0xa0',
  'return 0xa2',
  'return 0xa4',
  'after 0xa0',
  'return 0x70',
  'return 0x80000123',
  'after 0x80000123',
]
const OUTPUT = [
  ...OPENING.slice(1, 4),
  'C_FindObjects',
  'C_GetAttributeValue',
  'C_GenerateRandom',
  'C_Sign',
  'C_Encrypt',
  'C_Decrypt',
]
const LISTS = ['C_GetSlotList', 'C_FindObjects']
const LENGTHS = ['C_Sign', 'C_Encrypt', 'C_Decrypt', 'C_GetAttributeValue']
/** A changed bit, a missing object or an answer that is none is believed there: see `unprotected`. */
const UNPROTECTED = ['encrypt C_Encrypt flip 100', 'decrypt C_Decrypt flip 100']

/** What makes a process that works open its token anew. */
const LOST_SESSION: Rule = { fn: 'C_SignInit', action: 'return 0xb3' }

let turn = 0

/** One of several faults that come to the same, each time the next. */
function oneOf<T>(faults: readonly T[]): T {
  const fault = faults[turn++ % faults.length]
  if (fault === undefined) throw new RangeError('no faults')
  return fault
}

/** Every cell of the matrix but for those in which a call hangs. */
export function quickCells(): readonly Cell[] {
  turn = 0
  const cells: Cell[] = []
  const add = (moment: Moment, operation: OperationName, fn: string, fault: string) => {
    cells.push(cellOf(moment, operation, fn, fault))
  }
  for (const [operation, fns] of Object.entries(LATER) as [OperationName, readonly string[]][]) {
    for (const fn of fns) {
      const soft = [
        ...HANDLES_LOST.slice(0, 1),
        oneOf(HANDLES_LOST.slice(1)),
        'return 0x5',
        'return 0x80000123',
        'return 0x70',
      ]
      const lost = ['delay 60', 'after 0x5', 'after 0xb3', 'invalidate', 'logout']
      const hard = [
        'finalise',
        oneOf(['return 0x30', 'return 0x32', 'return 0xe0']),
        'return 0xffffffffffffffff',
        oneOf(CRASHES),
      ]
      for (const fault of [...soft, ...lost, ...hard, ...outputFaults(fn)]) add('later', operation, fn, fault)
    }
  }
  for (const fn of [...OPENING, ...FINDING, 'C_SignInit', 'C_Sign']) {
    const faults = [oneOf(MAY_PASS), oneOf(HANDLES_LOST), 'return 0x80000123', 'return 0x30', oneOf(CRASHES)]
    const more = fn === 'C_Login' ? [...FINAL, 'after 0x5', 'after 0x30', 'return 0x100'] : outputFaults(fn)
    for (const fault of new Set([...faults, ...more])) {
      add('start', 'sign', fn, fault)
    }
  }
  for (const fn of ['C_Finalize', ...OPENING, 'C_FindObjects', 'C_GetAttributeValue']) {
    const faults = ['delay 60', oneOf(MAY_PASS), oneOf(HANDLES_LOST), oneOf(CRASHES)]
    const more = fn === 'C_Login' ? ['return 0xa0', 'return 0x80000123', 'after 0x30'] : outputFaults(fn).slice(0, 1)
    for (const fault of [...faults, ...more]) add('recovery', 'sign', fn, fault)
  }
  for (const fault of ['return 0x5', 'return 0xb3', 'return 0x30', 'flip 100', 'segv']) {
    cells.push(cellOf('recovery', 'sign', 'C_Sign', fault, 2))
  }
  return cells
}

/** Those in which a call never ends: they take as long as the deadline. */
export function hangingCells(): readonly Cell[] {
  const later = (Object.entries(LATER) as [OperationName, readonly string[]][]).flatMap(([operation, fns]) =>
    fns.slice(-1).map((fn) => cellOf('later', operation, fn, 'hang')),
  )
  const start = ['C_Initialize', 'C_GetSlotList', 'C_Login', 'C_FindObjects', 'C_Sign'].map((fn) =>
    cellOf('start', 'sign', fn, 'hang'),
  )
  const recovery = ['C_Finalize', 'C_Login'].map((fn) => cellOf('recovery', 'sign', fn, 'hang'))
  return [...later, ...start, ...recovery]
}

function outputFaults(fn: string): string[] {
  return [
    ...(OUTPUT.includes(fn) ? ['flip 100'] : []),
    ...(LISTS.includes(fn) ? ['drop'] : []),
    ...(LENGTHS.includes(fn) ? ['cut'] : []),
    // The module says that all is well, and has done nothing.
    ...(['C_Sign', 'C_Encrypt', 'C_Decrypt', 'C_GenerateRandom', 'C_Login'].includes(fn) ? ['return 0'] : []),
  ]
}

/** @param call which call of the function it strikes */
export function cellOf(moment: Moment, operation: OperationName, fn: string, fault: string, call = 1): Cell {
  const repeatable = !['generate', 'generatePair', 'decrypt'].includes(operation)
  const lost = HANDLES_LOST.includes(fault) || fault === 'invalidate' || fault === 'logout'
  const cured =
    fault.startsWith('delay') || lost || (repeatable && (MAY_PASS.includes(fault) || fault === 'after 0xb3'))
  const list = operation === 'list' && OUTPUT.includes(fn)
  return {
    operation,
    moment,
    fn,
    fault,
    rules: [...(moment === 'recovery' ? [LOST_SESSION] : []), { fn, action: fault as Action, call }],
    succeeds: moment === 'later' ? cured : fault.startsWith('delay'),
    unprotected: list || UNPROTECTED.includes(`${operation} ${fn} ${fault}`),
    final: fn === 'C_Login' && FINAL.includes(fault),
  }
}
