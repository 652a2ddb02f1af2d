import '../../wire/form.test.ts'
import '../../wire/json.test.ts'
import '../../wire/scrub.test.ts'
import '../../wire/target.test.ts'
