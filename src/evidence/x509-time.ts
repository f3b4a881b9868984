import { ReadError } from '../core/reader.ts'
import { DER, tagged, type DerValue } from './der.ts'

const UTC = /^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/
const GENERALIZED = /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/

/**
 * A UTCTime or GeneralizedTime in UTC, with seconds and without fractions (RFC 5280, section 5.1.2.4).
 *
 * @throws ReadError
 */
export function timeOf(value: DerValue | undefined): Date {
  const generalized = value?.tag === DER.GENERALIZED_TIME
  const { content } = tagged(value, generalized ? DER.GENERALIZED_TIME : DER.UTC_TIME)
  const text = new TextDecoder().decode(content)
  const [, year = '', ...rest] = (generalized ? GENERALIZED : UTC).exec(text) ?? []
  // Years from 50 on are of the last century (RFC 5280, section 4.1.2.5.1).
  const whole = generalized ? year : `${Number(year) >= 50 ? '19' : '20'}${year}`
  const [month, day, hour, minute, second] = rest
  const time = new Date(`${whole}-${month}-${day}T${hour}:${minute}:${second}Z`)
  if (Number.isNaN(time.valueOf())) throw new ReadError('expected a time in UTC')
  return time
}

/** A time for a message: ISO 8601 as far as it is one, since a date may be none. */
export function timeText(at: Date): string {
  return Number.isNaN(at.valueOf()) ? 'no time' : at.toISOString()
}
