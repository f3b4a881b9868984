import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { Interface, type InterfaceAbi } from 'ethers'
import { INTERFACES } from '../../src/ledger/abi.ts'
import { CONTRACT_NAMES } from '../../src/ledger/deployment.ts'

/** EIP-5267, from OpenZeppelin: nothing here asks for it, and the event is never emitted by contracts without upgrades. */
const UNUSED = /^(?:event EIP712DomainChanged|function eip712Domain)\(/

describe('INTERFACES', () => {
  for (const name of CONTRACT_NAMES) {
    it(`has every name, argument and answer of ${name} as it was compiled`, () => {
      const file = `../../build/contracts/${name.charAt(0).toUpperCase()}${name.slice(1)}.json`
      const text = readFileSync(new URL(file, import.meta.url), 'utf8')
      const { abi } = JSON.parse(text) as { abi: InterfaceAbi }
      assert.deepEqual(lines(INTERFACES[name]), lines(new Interface(abi)))
    })
  }
})

function lines(contract: Interface): readonly string[] {
  return contract
    .format()
    .filter((line) => !UNUSED.test(line))
    .sort()
}
