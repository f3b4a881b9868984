// solhint's recommended rules, but for those named here.
module.exports = {
  extends: 'solhint:recommended',
  rules: {
    // Constructors have no visibility since Solidity 0.7.
    'func-visibility': ['warn', { ignoreConstructors: true }],
    // Wants a tag for every parameter. Here the interfaces say what cannot be read off the names, and no more.
    'use-natspec': 'off',
    // Looks for packages beside each file; the compilers map @openzeppelin/ (foundry.toml, scripts/compile-contracts.mjs).
    'import-path-check': 'off',
    // Slither names every block of assembly, and scripts/analyse-contracts.mjs why each is there.
    'no-inline-assembly': 'off',
    // What things cost is measured (npm run bench -- gas), not guessed from their looks.
    'gas-indexed-events': 'off',
    'gas-small-strings': 'off',
    'gas-strict-inequalities': 'off',
    'gas-struct-packing': 'off',
  },
}
