import assert from 'node:assert/strict'
import { parseTcti } from '../../src/tpm/tcti.ts'
import { tpmError } from './suite.ts'

describe('parseTcti', () => {
  it('takes the four kinds, and names the settings that were left out', () => {
    const cases = [
      ['device:/dev/tpmrm0', 'device:/dev/tpmrm0'],
      ['device:/dev/tpm0', 'device:/dev/tpm0'],
      ['device', 'device:/dev/tpmrm0'],
      ['swtpm:path=/run/swtpm.sock', 'swtpm:path=/run/swtpm.sock'],
      ['swtpm:host=127.0.0.1,port=2321', 'swtpm:host=127.0.0.1,port=2321'],
      ['mssim:host=tpm.example,port=65535', 'mssim:host=tpm.example,port=65535'],
      ['tabrmd', 'tabrmd:'],
      ['tabrmd:bus_type=session', 'tabrmd:bus_type=session'],
      [
        'tabrmd:bus_name=com.intel.tss2.Tabrmd,bus_type=system',
        'tabrmd:bus_name=com.intel.tss2.Tabrmd,bus_type=system',
      ],
    ] as const
    for (const [text, configuration] of cases) assert.equal(parseTcti(text).configuration, configuration)
  })

  it('refuses everything else', () => {
    const cases = [
      '',
      ':',
      'cmd:/bin/true',
      'libtss2-tcti-cmd.so.0:x',
      '/tmp/module.so',
      'constructor:x',
      'swtpm',
      'swtpm:',
      'swtpm:nonsense',
      'swtpm:path=relative.sock',
      'swtpm:path=/a,path=/b',
      'swtpm:path=/a,port=1',
      'swtpm:host=a b,port=1',
      'swtpm:port=65536',
      'swtpm:port=0',
      'device:relative',
      'device:/dev/tpmrm0,x=1',
      'tabrmd:bus_type=other',
      'tabrmd:exec=/bin/true',
      `device:/${'x'.repeat(300)}`,
    ]
    for (const text of cases) assert.throws(() => parseTcti(text), tpmError('TCTI_INVALID'), text)
  })
})
