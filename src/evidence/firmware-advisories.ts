import type { FirmwareVersion, TpmIdentity } from './tpm-vendor.ts'

/** A published weakness of some versions of a TPM's firmware. */
export interface FirmwareAdvisory {
  /** CVE identifier. */
  readonly id: string
  /** As in `TPM_VENDORS`. */
  readonly vendorId: string
  /** The major version, and the minor ones, both ends among them. */
  readonly major: number
  readonly minors: readonly [first: number, last: number]
  /** The first version of that line without it, in words. */
  readonly fixedIn: string
  readonly weakness: string
  readonly source: string
}

const IFX = '49465800'
const STM = '53544D20'

const ROCA = 'RSA keys whose private part follows from the public one'
const TPM_FAIL = 'ECDSA keys leak by the time that signatures take'
const ADV170012 = 'Microsoft Security Advisory ADV170012; infineon.com/TPM-update'
const ST = 'st.com/content/st_com/en/campaigns/tpm-update.html'

const infineon = (major: number, last: number, fixedIn: string): FirmwareAdvisory => ({
  ...{ id: 'CVE-2017-15361', vendorId: IFX, major, minors: [0, last], fixedIn, weakness: ROCA, source: ADV170012 },
})
const st = (major: number, minor: number, fixedIn: string): FirmwareAdvisory => ({
  ...{ id: 'CVE-2019-16863', vendorId: STM, major, minors: [minor, minor], fixedIn, weakness: TPM_FAIL, source: ST },
})

/**
 * Firmware that is known to be bad, by what certificates say of it: one entry a line.
 *
 * Only weaknesses whose versions a certificate can show stand here. What it cannot show: CVE-2019-11090 (Intel's TPM-FAIL; the
 * version that counts is the chipset firmware's), CVE-2023-1017 and CVE-2023-1018 (libtpms says 20191023 before and after the fix;
 * other vendors published no versions of their certificates), CVE-2023-20589 (AMD's fTPM by voltage glitching; every version).
 */
export const FIRMWARE_ADVISORIES: readonly FirmwareAdvisory[] = [
  infineon(4, 33, '4.34'),
  { ...infineon(4, 42, '4.43'), minors: [40, 42] },
  infineon(5, 61, '5.62'),
  infineon(6, 42, '6.43'),
  infineon(7, 61, '7.62'),
  infineon(133, 32, '133.33'),
  st(71, 0, '71.16'),
  st(71, 4, '71.16'),
  st(71, 12, '71.16'),
  st(73, 0, '73.20'),
  st(73, 4, '73.20'),
  st(73, 5, '73.21'),
  st(73, 8, '73.64'),
  st(73, 9, '73.65'),
  st(74, 0, '74.20'),
  st(74, 4, '74.20'),
  st(74, 5, '74.21'),
  st(74, 8, '74.64'),
  st(74, 9, '74.65'),
  st(74, 16, '74.64'),
]

/** The advisories for a TPM's firmware; none for one whose version is not known. */
export function advisoriesFor({ vendorId, firmware }: TpmIdentity): readonly FirmwareAdvisory[] {
  return firmware === undefined ? [] : FIRMWARE_ADVISORIES.filter((advisory) => covers(advisory, vendorId, firmware))
}

function covers(
  { vendorId, major, minors: [first, last] }: FirmwareAdvisory,
  ofVendor: string,
  { major: ofMajor, minor }: FirmwareVersion,
): boolean {
  return vendorId === ofVendor && major === ofMajor && first <= minor && minor <= last
}
