/** Event types that Attestry gives a meaning (TCG PC Client Platform Firmware Profile 1.06, 10.4.1). Types are untrusted: no digest covers them. */
export const EV = {
  POST_CODE: 0x1,
  NO_ACTION: 0x3,
  SEPARATOR: 0x4,
  ACTION: 0x5,
  EVENT_TAG: 0x6,
  S_CRTM_CONTENTS: 0x7,
  S_CRTM_VERSION: 0x8,
  PLATFORM_CONFIG_FLAGS: 0xa,
  TABLE_OF_DEVICES: 0xb,
  IPL: 0xd,
  NONHOST_CONFIG: 0x10,
  NONHOST_INFO: 0x11,
  OMIT_BOOT_DEVICE_EVENTS: 0x12,
  POST_CODE2: 0x13,
  EFI_VARIABLE_DRIVER_CONFIG: 0x80000001,
  EFI_VARIABLE_BOOT: 0x80000002,
  EFI_BOOT_SERVICES_APPLICATION: 0x80000003,
  EFI_BOOT_SERVICES_DRIVER: 0x80000004,
  EFI_RUNTIME_SERVICES_DRIVER: 0x80000005,
  EFI_GPT_EVENT: 0x80000006,
  EFI_ACTION: 0x80000007,
  EFI_PLATFORM_FIRMWARE_BLOB: 0x80000008,
  EFI_HANDOFF_TABLES: 0x80000009,
  EFI_PLATFORM_FIRMWARE_BLOB2: 0x8000000a,
  EFI_HANDOFF_TABLES2: 0x8000000b,
  EFI_VARIABLE_BOOT2: 0x8000000c,
  EFI_GPT_EVENT2: 0x8000000d,
  EFI_HCRTM_EVENT: 0x80000010,
  EFI_VARIABLE_AUTHORITY: 0x800000e0,
  EFI_SPDM_FIRMWARE_BLOB: 0x800000e1,
  EFI_SPDM_FIRMWARE_CONFIG: 0x800000e2,
  EFI_SPDM_DEVICE_POLICY: 0x800000e3,
  EFI_SPDM_DEVICE_AUTHORITY: 0x800000e4,
} as const

/** Types that have a name and nothing more. */
const NAMED_ONLY: Readonly<Record<number, string>> = {
  0x0: 'EV_PREBOOT_CERT',
  0x2: 'EV_UNUSED',
  0x9: 'EV_CPU_MICROCODE',
  0xc: 'EV_COMPACT_HASH',
  0xe: 'EV_IPL_PARTITION_DATA',
  0xf: 'EV_NONHOST_CODE',
  0x80000000: 'EV_EFI_EVENT_BASE',
}

const names: ReadonlyMap<number, string> = new Map([
  ...Object.entries(EV).map(([name, type]) => [type, `EV_${name}`] as const),
  ...Object.entries(NAMED_ONLY).map(([type, name]) => [Number(type), name] as const),
])

/** A type's name, or its number in hexadecimal where it has none. */
export function eventTypeName(type: number): string {
  return names.get(type) ?? `0x${type.toString(16).padStart(8, '0')}`
}
