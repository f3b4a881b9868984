import assert from 'node:assert/strict'
import { ConfigError, type ConfigErrorCode } from '../../src/core/config-error.ts'
import { parseAppraisalPolicy } from '../../src/evidence/appraisal-policy.ts'

const digest = `0x${'ab'.repeat(32)}`
const name = `0x000b${'cd'.repeat(32)}`
const key = (akName: string) => `[[attestation_keys]]\nname = "${akName}"`

function refuses(code: ConfigErrorCode, where: RegExp, text: string): void {
  assert.throws(
    () => parseAppraisalPolicy(text, 'p.toml'),
    (error) => error instanceof ConfigError && error.code === code && where.test(error.message),
    text,
  )
}

describe('parseAppraisalPolicy', () => {
  it('allows nothing where nothing is said', () => {
    const policy = parseAppraisalPolicy('')
    assert.equal(policy.freshness, 'nonce')
    assert.equal(policy.attestationKeys.size, 0)
    assert.equal(policy.tpm.assurance, 'Software')
    assert.equal(policy.clock.requireSafe, true)
    assert.deepEqual(
      [policy.values.size, policy.firmware.events.length, policy.ima, policy.vmm],
      [0, 0, undefined, undefined],
    )
    const { ima } = parseAppraisalPolicy('[ima]')
    assert.deepEqual([ima?.violations, ima?.unlisted, ima?.pcr], ['deny', 'deny', 10])
  })

  it('refuses keys that it does not know, and says which was meant', () => {
    refuses('CONFIG_UNKNOWN_KEY', /did you mean freshness/, 'freshnes = "none"')
    refuses('CONFIG_UNKNOWN_KEY', /quote\.pcr/, '[quote]\npcr = [1]')
    refuses(
      'CONFIG_UNKNOWN_KEY',
      /firmware\.events\[0\]\.digest/,
      `[[firmware.events]]\nname="a"\npcr=1\ndigests=["${digest}"]\ndigest="x"`,
    )
  })

  it('refuses values that mean nothing, and says where', () => {
    refuses('CONFIG_SYNTAX', /p\.toml:1:/, 'freshness = ')
    refuses('CONFIG_INVALID', /version/, 'version = 2')
    refuses('CONFIG_INVALID', /freshness/, 'freshness = "no"')
    refuses('CONFIG_INVALID', /attestation_keys\[0\]\.name/, `${key('0x000b00')}\nek = "${digest}"`)
    refuses('CONFIG_INVALID', /attestation_keys\[0\]\.ek/, key(name))
    refuses('CONFIG_INVALID', /attestation_keys\[0\]\.ek/, `${key(name)}\nek = "0xab"`)
    refuses('CONFIG_INVALID', /attestation_keys\[0\]\.ek/, `tpm.assurance = "none"\n${key(name)}\nek = "0xab"`)
    refuses('CONFIG_INVALID', /each key once/, `${key(name)}\nek = "${digest}"\n`.repeat(2))
    refuses('CONFIG_INVALID', /assurance/, '[tpm]\nassurance = "hardware"')
    refuses('CONFIG_INVALID', /manufacturers/, '[tpm]\nmanufacturers = ["IFX"]')
    refuses('CONFIG_INVALID', /min_firmware/, '[tpm]\nmin_firmware = "7.2"')
    refuses('CONFIG_INVALID', /require_safe/, '[clock]\nrequire_safe = "yes"')
    refuses('CONFIG_INVALID', /after_restart_count/, '[clock]\nafter_reset_count = 1')
    refuses('CONFIG_INVALID', /bank/, '[quote]\nbank = "sha1"')
    refuses('CONFIG_INVALID', /pcrs/, '[quote]\npcrs = [1, 1]')
    refuses('CONFIG_INVALID', /unextended/, '[quote]\nunextended = [24]')
    refuses('CONFIG_INVALID', /values\.24/, `[values]\n24 = ["${digest}"]`)
    refuses('CONFIG_INVALID', /values\.0/, '[values]\n0 = []')
    refuses('CONFIG_INVALID', /values\.0/, '[values]\n0 = ["0xab"]')
    refuses('CONFIG_INVALID', /values\.0/, `[values]\n0 = ["${digest}", "${digest}"]`)
    refuses('CONFIG_INVALID', /values\.0/, `[quote]\nbank = "sha384"\n[values]\n0 = ["${digest}"]`)
    refuses('CONFIG_INVALID', /secure_boot/, '[firmware]\nsecure_boot = "on"')
    refuses('CONFIG_INVALID', /firmware\.events/, '[firmware]\nevents = 1')
    refuses('CONFIG_INVALID', /events\[0\]\.pcr/, `[[firmware.events]]\nname="a"\ndigests=["${digest}"]`)
    refuses('CONFIG_INVALID', /digests or command_lines/, '[[firmware.events]]\nname="a"\npcr=1')
    refuses(
      'CONFIG_INVALID',
      /digests or command_lines/,
      `[[firmware.events]]\nname="a"\npcr=1\ndigests=["${digest}"]\ncommand_lines=[]`,
    )
    refuses('CONFIG_INVALID', /violations/, '[ima]\nviolations = true')
    refuses('CONFIG_INVALID', /ima\.files\./, '[ima.files]\n"/bin/sh" = ["abcd"]')
    refuses('CONFIG_INVALID', /vmm\.components\./, '[vmm.components]\n"/bin/sh" = ["sha256:ab"]')
  })

  it('takes a component that must be absent, and no other word', () => {
    const { vmm } = parseAppraisalPolicy(`[vmm.components]\n"/a" = "absent"\n"/b" = ["${digest}"]`)
    assert.equal(vmm?.components.get('/a'), 'absent')
    refuses('CONFIG_INVALID', /vmm\.components\./, '[vmm.components]\n"/bin/sh" = "gone"')
    refuses('CONFIG_INVALID', /vmm\.components\./, '[vmm.components]\n"/bin/sh" = ["absent"]')
  })

  it('takes only IMA digests of strong hashes, at their length', () => {
    const files = (one: string) => `[ima.files]\n"/bin/sh" = ["${one}"]`
    const strong = [
      ['sha256', 64],
      ['sha384', 96],
      ['sha512', 128],
    ] as const
    for (const [name, digits] of strong) {
      for (const prefix of ['', 'verity:']) parseAppraisalPolicy(files(`${prefix}${name}:${'a'.repeat(digits)}`))
      refuses('CONFIG_INVALID', /ima\.files\./, files(`${name}:${'a'.repeat(digits - 2)}`))
      refuses('CONFIG_INVALID', /ima\.files\./, files(`${name}:${'a'.repeat(digits + 2)}`))
    }
    for (const weak of [`md5:${'a'.repeat(32)}`, `sha1:${'a'.repeat(40)}`, `sm3:${'a'.repeat(64)}`]) {
      refuses('CONFIG_INVALID', /ima\.files\./, files(weak))
    }
  })

  it('refuses what no evidence can pass', () => {
    for (const pcr of [16, 23]) {
      refuses('CONFIG_INVALID', /quote\.pcrs/, `[quote]\npcrs = [${pcr}]`)
      refuses('CONFIG_INVALID', /quote\.unextended/, `[quote]\nunextended = [${pcr}]`)
      refuses('CONFIG_INVALID', /values/, `[values]\n${pcr} = ["${digest}"]`)
      refuses('CONFIG_INVALID', /firmware\.events/, `[[firmware.events]]\nname="a"\npcr=${pcr}\ndigests=["${digest}"]`)
      refuses('CONFIG_INVALID', /ima\.pcr/, `[ima]\npcr = ${pcr}`)
      refuses('CONFIG_INVALID', /vmm\.pcr/, `[vmm]\npcr = ${pcr}\n[vmm.components]\n"/a" = ["${digest}"]`)
    }
    refuses('CONFIG_INVALID', /quote\.bank/, `[quote]\nbank = "sha384"\n[vmm.components]\n"/a" = ["${digest}"]`)
    refuses('CONFIG_INVALID', /vmm\.components/, '[vmm]')
    refuses('CONFIG_INVALID', /vmm\.components/, '[vmm.components]\n"/a" = "absent"')
    refuses('CONFIG_INVALID', /ima\.files/, '[ima.files]\n"/bin/sh" = []')
    refuses('CONFIG_INVALID', /command_lines/, '[[firmware.events]]\nname="a"\npcr=1\ncommand_lines=[]')
    for (const wrong of [`0x000c${'ab'.repeat(48)}`, `0x000b${'ab'.repeat(48)}`]) {
      refuses('CONFIG_INVALID', /name/, `[tpm]\nassurance = "none"\n[[attestation_keys]]\nname = "${wrong}"`)
    }
  })

  it('takes empty lists of PCRs', () => {
    const { pcrs, unextended } = parseAppraisalPolicy('[quote]\npcrs = []\nunextended = []')
    assert.deepEqual([pcrs, unextended], [[], []])
  })

  it('pairs each attestation key with the EK of its TPM, which only a policy without endorsement may leave out', () => {
    const paired = parseAppraisalPolicy(`${key(name)}\nek = "${digest}"`)
    assert.deepEqual([...paired.attestationKeys], [[name, digest]])
    const bare = parseAppraisalPolicy(`${key(name)}\n[tpm]\nassurance = "none"`)
    assert.deepEqual([...bare.attestationKeys], [[name, undefined]])
  })

  it('refuses rules about an EK certificate where none is asked for', () => {
    for (const rule of ['manufacturers = ["id:49465800"]', 'require_revocation = true', 'known_weaknesses = "deny"']) {
      refuses(
        'CONFIG_INVALID',
        new RegExp(`tpm\\.assurance.*${rule.split(' ')[0]}`),
        `[tpm]\nassurance = "none"\n${rule}`,
      )
      assert.equal(parseAppraisalPolicy(`[tpm]\n${rule}`).tpm.assurance, 'Software')
    }
  })

  it('refuses two logs for one PCR', () => {
    const event = (pcr: number) => `[[firmware.events]]\nname="a"\npcr=${pcr}\ndigests=["${digest}"]\n`
    refuses('CONFIG_INVALID', /ima\.pcr/, `${event(10)}[ima]`)
    refuses('CONFIG_INVALID', /vmm\.pcr/, `${event(13)}[vmm]`)
    refuses('CONFIG_INVALID', /vmm\.pcr/, '[ima]\npcr = 13\n[vmm]')
  })
})
