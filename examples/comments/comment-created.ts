/**
 * The event. Its shape is all that the services of this example share: the web service does not
 * know who reads it, and the readers do not know each other.
 */
export interface CommentCreated {
  /** Of the event, not of the comment: by it a reader recognises an event it has seen before. */
  readonly id: string
  readonly type: 'CommentCreated'
  /** When it happened: ISO 8601, UTC. */
  readonly time: string
  readonly comment: Comment
}

export interface Comment extends NewComment {
  readonly id: number
  readonly articleId: string
}

/** What a user submits. */
export interface NewComment {
  readonly author: string
  readonly text: string
}
