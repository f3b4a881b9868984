import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { stopProcess, type StackProcess } from '../../hil/stack/process.ts'
import { manufactureSwtpm, startSwtpm } from '../../hil/stack/swtpm.ts'
import { Tpm } from '../../src/tpm/tpm.ts'
import type { VmmProfile } from '../../src/vmm/profile.ts'

/** A software TPM, and files to measure with it. */
export class Rig {
  readonly dir: string
  readonly profile: VmmProfile
  readonly log: string
  readonly tpm: Tpm
  #process: StackProcess | undefined

  private constructor(dir: string) {
    this.dir = dir
    this.log = join(dir, 'vmm.cel')
    this.tpm = new Tpm({ tcti: `swtpm:path=${join(dir, 'tpm', 'swtpm.sock')}` })
    this.profile = {
      name: 'test',
      selection: { bank: 'sha256', pcrs: [13] },
      pcr: 13,
      components: [
        { name: 'code', path: join(dir, 'code') },
        { name: 'binary', path: join(dir, 'bin', 'binary') },
        { name: 'vmm', path: join(dir, 'vmm'), perFile: true },
      ],
    }
  }

  static async make(): Promise<Rig> {
    const rig = new Rig(await mkdtemp(join(tmpdir(), 'attestry-vmm-')))
    await mkdir(join(rig.dir, 'tpm'))
    await manufactureSwtpm(join(rig.dir, 'tpm'))
    return rig
  }

  path(name: string): string {
    return join(this.dir, name)
  }

  async write(name: string, content: string): Promise<void> {
    await mkdir(dirname(this.path(name)), { recursive: true })
    await writeFile(this.path(name), content)
  }

  /** Lays out the same files each time, and resets the TPM. */
  async boot(): Promise<void> {
    for (const part of ['code', 'bin', 'vmm', 'vmm.cel', 'vmm.cel.1']) {
      await rm(this.path(part), { recursive: true, force: true })
    }
    await this.write('code/main.ts', 'main')
    await this.write('code/lib/part.ts', 'part')
    await this.write('bin/binary', 'binary')
    await this.write('vmm/qemu', 'qemu')
    await this.write('vmm/firmware/OVMF_CODE.fd', 'firmware')
    await this.reset()
  }

  /** Turns the TPM off and on. */
  async reset(): Promise<void> {
    await this.#halt()
    this.#process = (await startSwtpm(this.path('tpm'))).process
  }

  async remove(): Promise<void> {
    await this.tpm.close()
    await this.#halt()
    await rm(this.dir, { recursive: true, force: true })
  }

  async #halt(): Promise<void> {
    if (this.#process !== undefined) await stopProcess(this.#process)
    this.#process = undefined
  }
}
