;;; Understudy in Emacs (eglot), with a copy of the example backend:  -*- lexical-binding: t -*-
;;;   PROJECT=COPY emacs --batch --load tests/editors/others/emacs.el
;;; `understudy` must be on the PATH. On Debian 12: emacs-nox and elpa-eglot; newer Emacsen carry eglot.

(package-initialize)
(require 'eglot)
(require 'flymake)

(add-to-list 'eglot-server-programs '((python-mode python-ts-mode) . ("understudy" "server")))
(setq eglot-sync-connect 30 eglot-confirm-server-initiated-edits nil)

(defun until (what condition)
  "Wait for CONDITION; WHAT names it in the message of the failure."
  (let ((end (+ (float-time) 60)) answer)
    (while (and (not (setq answer (funcall condition))) (< (float-time) end))
      (accept-process-output nil 0.05))
    (unless answer (error "Waited in vain for %s" what))
    (message "ok     %s" what)
    answer))

(defun finding-at (row)
  "Understudy's finding in ROW."
  (seq-find (lambda (finding) (= row (line-number-at-pos (flymake-diagnostic-beg finding))))
            (flymake-diagnostics)))

(find-file (expand-file-name "tests/unit/test_proposal_service.py" (getenv "PROJECT")))
(call-interactively #'eglot)
(until "the server" #'eglot-current-server)
(flymake-mode 1)
(flymake-start)
(let ((finding (until "the finding" (lambda () (finding-at 16)))))
  (unless (string-match-p "US108.*awaits" (flymake-diagnostic-text finding))
    (error "It says %S" (flymake-diagnostic-text finding)))
  (goto-char (flymake-diagnostic-beg finding))
  (let ((documentation nil))
    (eglot-hover-eldoc-function (lambda (text &rest _) (setq documentation text)))
    (until "hover" (lambda () (and documentation (string-match-p "mock-awaited-by-callee" documentation)))))
  (let* ((actions (eglot-code-actions (flymake-diagnostic-beg finding) (flymake-diagnostic-end finding) "quickfix"))
         (fix (seq-find (lambda (action) (string-match-p "AsyncMock" (plist-get action :title))) actions)))
    (unless fix (error "No fix among %S" actions))
    (eglot--apply-workspace-edit (plist-get fix :edit))))
(until "the edit" (lambda () (save-excursion (goto-char (point-min)) (search-forward "    session = AsyncMock()\n    service" nil t))))
;; A batch Emacs is never idle, and it is then that eglot sends edits.
(eglot--signal-textDocument/didChange)
(until "the finding to go" (lambda () (not (finding-at 16))))
(message "5 passed, 0 failed")
