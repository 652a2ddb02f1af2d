import { SealFault } from '../custody/seal.js'

/**
 * A secret that is kept elsewhere cannot be had. For those who open credentials it is one that does not open; the message
 * is for the operator and names the reference, never what it gave.
 */
export class SecretFault extends SealFault {}
