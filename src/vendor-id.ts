/**
 * Whether a text can be a vendor's id: printable, in ASCII, and no longer than every index takes. Other texts cannot be
 * written by each of the stores, and what can never be written would keep all that is to be written with it.
 */
export const isVendorId = (text: string): boolean => /^[\x21-\x7e]{1,255}$/.test(text)
