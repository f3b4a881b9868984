/**
 * The ids of TPM manufacturers, as `tpmManufacturer` in a certificate has them behind `id:`, in upper case (TCG TPM Vendor ID
 * Registry 1.07; TCG EK Credential Profile 2.6, 3.2.9). Four bytes of ASCII, padded with zeros or blanks. Not the registry's: IBM's
 * PCI id, by which libtpms and swtpm name themselves.
 */
export const TPM_VENDORS: Readonly<Record<string, string>> = {
  '414D4400': 'AMD',
  '414E5400': 'Ant Group',
  '41544D4C': 'Atmel',
  '4252434D': 'Broadcom',
  '4353434F': 'Cisco',
  '464C5953': 'Flyslice Technologies',
  '474F4F47': 'Google',
  '48495349': 'Huawei',
  '48504500': 'HPE',
  '48504900': 'HPI',
  '49424D00': 'IBM',
  '49465800': 'Infineon',
  '494E5443': 'Intel',
  '4C454E00': 'Lenovo',
  '4D534654': 'Microsoft',
  '4E534700': 'NSING',
  '4E534D20': 'National Semiconductor',
  '4E544300': 'Nuvoton Technology',
  '4E545A00': 'Nationz',
  '51434F4D': 'Qualcomm',
  '524F4343': 'Fuzhou Rockchip',
  '53454345': 'SecEdge',
  '534D5343': 'SMSC',
  '534D534E': 'Samsung',
  '534E5300': 'Sinosun',
  '53544D20': 'STMicroelectronics',
  '54584E00': 'Texas Instruments',
  '57454300': 'Winbond',
  '00001014': 'IBM (software TPM)',
}

/** What a certificate says of its TPM, read. */
export interface TpmIdentity {
  /** As it stands in the certificate, in upper case, eight hexadecimal digits. */
  readonly vendorId: string
  /** Undefined for an id that is in no registry. */
  readonly vendor: string | undefined
  readonly model: string | undefined
  /** Undefined where it is missing, or no `id:` and hexadecimal. */
  readonly firmware: FirmwareVersion | undefined
}

/** Major and minor, 16 bits each: `id:0007003E` is 7.62. */
export interface FirmwareVersion {
  readonly major: number
  readonly minor: number
}

/**
 * Reads manufacturer, model and version. Several of a kind are no identity: nobody could tell which one is meant.
 *
 * @param name untrusted
 * @returns undefined where it names no manufacturer, or several, or none that is an id
 */
export function tpmIdentityOf(name: {
  readonly manufacturers: readonly string[]
  readonly models: readonly string[]
  readonly versions: readonly string[]
}): TpmIdentity | undefined {
  const [manufacturer, ...others] = name.manufacturers
  const vendorId = /^id:([0-9a-f]{8})$/i.exec(manufacturer ?? '')?.[1]?.toUpperCase()
  if (vendorId === undefined || others.length > 0 || name.models.length > 1 || name.versions.length > 1)
    return undefined
  return { vendorId, vendor: TPM_VENDORS[vendorId], model: name.models[0], firmware: firmwareOf(name.versions[0]) }
}

function firmwareOf(version: string | undefined): FirmwareVersion | undefined {
  const digits = /^id:([0-9a-f]{1,8})$/i.exec(version ?? '')?.[1]
  if (digits === undefined) return undefined
  const value = Number.parseInt(digits, 16)
  return { major: value >>> 16, minor: value & 0xffff }
}
