import { installClients } from './clients.js'
import { DEBIAN_CLIENTS, debianPackages } from './debian.js'

/** Once before all tests: what several suites would else install at the same time. Each suite says itself what it lacks. */
export default function before(): void {
  installClients()
  for (const wanted of Object.values(DEBIAN_CLIENTS)) debianPackages(wanted)
}
