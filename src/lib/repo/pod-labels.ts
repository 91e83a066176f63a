/** Labels that pods get beside those that their operator gives them by itself. */
import { leaves } from './fields.ts'

/** Labels that a custom resource asks to be given to its pods, in whichever of the fields that operators have for it. */
export function labelsGiven(spec: unknown): Record<string, string> {
  const found = leaves(spec).flatMap(({ path, value }) => {
    const [at, word] = [path.at(-2), path.findLast((part, index) => index < path.length - 2 && part !== 'metadata')]
    const isPods =
      at === 'labels' && /^(podTemplate|podTemplateSpec|podMetadata|inheritedMetadata|pod)$/.test(`${word}`)
    // Apicurio's console is a pod of its own, which is not listed here.
    return isPods && !path.includes('ui') ? [[String(path.at(-1)), String(value)]] : []
  })
  return Object.fromEntries(found)
}
