import { join } from 'node:path'

/** Where the certificate lies that clients of CONNECT mode have to trust. Its key lies beside it and stays there. */
export const caFile = (dataDir: string): string => join(dataDir, 'connect-ca.pem')
