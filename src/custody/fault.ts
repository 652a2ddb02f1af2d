/** The master key or the admin token cannot be had safely. The message is for the operator and holds no secret. */
export class CustodyFault extends Error {
  override readonly name = 'CustodyFault'
}
