import type { ConfigTable } from '../core/config-table.ts'
import { EK_PLACE_NAMES, EK_PLACES, type EkPlaceName } from '../tpm/ek-place.ts'

/**
 * Which EK a configuration names: by its kind of key, or by the persistent handle at which that kind of EK lies. Nothing where the
 * key is absent: then the first EK that has a certificate is taken, RSA-2048 before all others.
 *
 * A handle names a kind of EK, no more: what lies there is used where it is that EK, and else the EK is made again from its
 * template, which gives the same key.
 *
 * @throws ConfigError `CONFIG_INVALID`
 */
export function ekChoiceOf(table: ConfigTable): { readonly ek?: readonly [EkPlaceName] } {
  if (!table.has('ek')) return {}
  if (!table.isNumber('ek')) return { ek: [table.choice('ek', EK_PLACE_NAMES)] }
  const handle = table.integer('ek', { min: 0, max: 0xffff_ffff, or: 0 })
  const name = EK_PLACE_NAMES.find((one) => EK_PLACES[one].handles.includes(handle))
  if (name === undefined) throw table.invalid('ek', `a persistent handle of an EK: ${HANDLES}`)
  return { ek: [name] }
}

const HANDLES = EK_PLACE_NAMES.flatMap((name) =>
  EK_PLACES[name].handles.map((handle) => `0x${handle.toString(16)} (${name})`),
).join(', ')
